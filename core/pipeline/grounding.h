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

namespace objectdino {

struct GroundedObject {
  // In [0, 1], best first. Otsu's separability of the objectness map by the union of all the
  // regions found, times this region's share of the union's summed objectness. Comparable within a
  // method, not yet calibrated.
  double score = 0;
  Box box;                       // original pixels
  std::vector<uint8_t> mask;     // [rows, cols] of the patch grid, 0 or 1
  Point anchor;                  // original pixels, inside the mask
  int patches = 0;               // ones in `mask`
  std::vector<float> embedding;  // [D], unit length; see PoolObjectEmbedding
};

enum class WarningCode {
  kLowConfidence,   // degenerate graph, or a map without contrast
  kRandomWeights,   // the model's weights are random: for tests only
  kImageTooSmall,   // a side of the image is smaller than a patch
  kFirstFrameOnly,  // an animated image; only the first frame was used
  kTruncatedImage,  // the file is cut short; what was there was used
};

struct Warning {
  WarningCode code = WarningCode::kLowConfidence;
  std::string message;
};

// Wall time, in milliseconds.
struct StageTimings {
  double decode_ms = 0;
  double preprocess_ms = 0;
  double backbone_ms = 0;
  double heads_ms = 0;    // similarity, selection, objectness, affinity
  double objects_ms = 0;  // threshold or cut, regions, embeddings
};

struct Grounding {
  ImageSize image;  // of the image that was grounded (upright)
  PatchGrid grid;
  std::vector<GroundedObject> objects;  // best first; empty when the image shows no object
  std::vector<float> objectness;        // [rows, cols] in [0, 1], high = object
  std::vector<float> cls_attention;     // [rows, cols], sums to 1
  std::vector<HeadRef> heads;           // the object-centric heads, ascending
  std::vector<float> patch_tokens;      // [N, D] final tokens, L2-normalised rows; only on request
  int embedding_width = 0;              // D
  std::vector<Warning> warnings;
  StageTimings timings;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_GROUNDING_H_
