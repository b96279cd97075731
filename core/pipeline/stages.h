// SPDX-License-Identifier: Apache-2.0
// What an image is between the three stages of grounding, so that a server can run each stage on
// threads of its own: Grounder::Prepare, then Infer for a batch, then Finish.
// Thread-safety: plain values; one owner at a time.
#ifndef OBJECTDINO_CORE_PIPELINE_STAGES_H_
#define OBJECTDINO_CORE_PIPELINE_STAGES_H_

#include <vector>

#include "core/base/patch_grid.h"
#include "core/image/image.h"
#include "core/image/preprocess.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounding.h"
#include "core/pipeline/head_evidence.h"

namespace objectdino {

// Made by Prepare, read by Infer and Finish. Its batch is chosen by `input.grid`.
struct PreparedImage {
  GroundOptions options;          // valid ones
  ImageSize size;                 // of the image, upright
  PreprocessedImage input;        // [3, rows * patch, cols * patch] and the grid
  Image image;                    // the pixels; only with options.pixel_masks
  bool blank = false;             // one flat colour: no object will be looked for
  std::vector<Warning> warnings;  // so far
  double preprocess_ms = 0;
};

// Made by Infer, read by Finish: all that the network says of one image.
struct InferredImage {
  HeadEvidence evidence;
  std::vector<float> tokens;      // [N, D], the final tokens of the patches, rows of unit length
  bool alike = false;             // the patches all look alike: no object will be looked for
  std::vector<Warning> warnings;  // of this stage
  int batch_size = 0;             // images in the forward pass, this one included
  double backbone_ms = 0;         // of the whole batch: what each of its images waited for
  double heads_ms = 0;            // of this image
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_STAGES_H_
