// SPDX-License-Identifier: Apache-2.0
// The result of grounding one image.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_PIPELINE_GROUNDING_H_
#define OBJECTDINO_CORE_PIPELINE_GROUNDING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/head_ref.h"
#include "core/base/patch_grid.h"
#include "core/objects/regions.h"
#include "core/pipeline/ground_options.h"

namespace objectdino {

struct GroundedObject {
  // In [0, 1], best first: how likely this is an object, see ObjectScore.
  double score = 0;
  Box box;                       // original pixels
  std::vector<uint8_t> mask;     // [rows, cols] of the patch grid, 0 or 1
  Point anchor;                  // original pixels, inside the mask
  int patches = 0;               // ones in `mask`
  std::vector<float> embedding;  // [E], unit length; see PoolObjectEmbedding
  // [height, width] of the image, encoded (GroundOptions::mask_format); only on request. As bytes,
  // the masks of ten objects of a large photograph would be ten times its pixels.
  std::string pixel_mask;
};

enum class WarningCode {
  kLowConfidence,       // a fallback was used: degenerate graph, or everything is like LOST's seed
  kRandomWeights,       // the model's weights are random: for tests only
  kImageTooSmall,       // a side of the image is smaller than a patch
  kFirstFrameOnly,      // an animated image; only the first frame was used
  kTruncatedImage,      // the file is cut short; what was there was used
  kNoClearObject,       // one flat colour, patches that all look alike, or a map without contrast
  kUnmeasuredDefaults,  // the answer rests on defaults that nobody measured with this model
};

struct Warning {
  WarningCode code = WarningCode::kLowConfidence;
  std::string message;
};

// Wall time, in milliseconds.
struct StageTimings {
  double decode_ms = 0;
  double preprocess_ms = 0;
  double backbone_ms = 0;  // of the whole batch
  int batch_size = 1;      // images in the same forward pass, this one included
  double heads_ms = 0;     // similarity, selection, objectness, affinity
  double objects_ms = 0;   // threshold or cut, regions, embeddings
  double masks_ms = 0;     // pixel masks, encoded; 0 without
};

struct Grounding {
  ImageSize image;  // of the image that was grounded (upright)
  PatchGrid grid;
  std::vector<GroundedObject> objects;  // best first; empty when the image shows no object
  std::vector<float> objectness;        // [rows, cols] in [0, 1], high = object
  std::vector<float> cls_attention;     // [rows, cols], sums to 1
  std::vector<HeadRef> heads;           // the object-centric heads, ascending
  // [L * H]: the cluster of each head, layer-major. 0 is the object-centric one, the others follow
  // in order of first appearance; all -1 where no heads were clustered.
  std::vector<int> head_clusters;
  // [L, H, 3, rows, cols]: the mean cosine of each patch to all patches, for queries, keys and
  // values, in [-1, 1]; whatever the method. Only on request.
  std::vector<float> head_maps;
  std::vector<float> patch_vectors;  // [N, E] L2-normalised rows; only on request
  EmbeddingSource embedding_source = EmbeddingSource::kFinalLayer;  // of all embeddings
  int embedding_width = 0;                                          // E
  std::vector<Warning> warnings;
  StageTimings timings;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_GROUNDING_H_
