// SPDX-License-Identifier: Apache-2.0
// What a caller can ask of one grounding.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_PIPELINE_GROUND_OPTIONS_H_
#define OBJECTDINO_CORE_PIPELINE_GROUND_OPTIONS_H_

#include <cstdint>

#include "absl/status/status.h"

#include "core/image/preprocess.h"
#include "core/objects/pixel_mask.h"
#include "core/weights/model_config.h"

namespace objectdino {

enum class Method {
  kObjectDino,  // anchored objectness, Otsu, connected regions (the default; defaults.md section 2)
  kObjectDinoCut,    // normalised cut on the selected heads, side chosen by CLS attention
  kObjectDinoPaper,  // normalised cut with the published settings: exact descriptors, seed rule,
                     // tau -0.35
};

enum class HeadSelection {
  kClustered,  // k-means over the heads of all layers, the cluster with most heads of the last
               // layer
  kPreset,     // all heads of the last two layers, no clustering
};

// Of an encoded pixel mask: COCO compressed RLE, or a PNG file of one channel, 0 and 255.
enum class MaskFormat { kCocoRle, kPng };

// A plain value. Every field has a default; Validate names the field and the range that is broken.
struct GroundOptions {
  Method method = Method::kObjectDino;
  HeadSelection head_selection = HeadSelection::kClustered;
  int clusters = 5;    // k of k-means, 2 .. 64 and at most the number of heads
  uint32_t seed = 42;  // of k-means
  int input_size =
      224;  // pixels: side (square) or longest side (aspect), patch_size .. 1024, 560 for the cuts
  ResizeMode resize_mode = ResizeMode::kSquare;
  int max_objects = 10;  // 1 .. 100
  double min_score = 0;  // 0 .. 1, objects below are left out
  int min_patches =
      0;  // 0 = 1 % of the patches; regions smaller than this are left out (never the first)
  double tau =
      kTauOfMethod;  // affinity threshold of the cuts, -1 .. 1; kTauOfMethod = the method's default
  bool seed_rule =
      false;  // kObjectDinoCut: choose the side by the published seed rule instead of CLS attention
  bool patch_embeddings = false;  // fill Grounding::patch_tokens
  bool pixel_masks = false;       // fill GroundedObject::pixel_mask, as the next two say
  MaskRefinement mask_refinement = MaskRefinement::kEdgeAware;
  MaskFormat mask_format = MaskFormat::kCocoRle;

  static constexpr double kTauOfMethod = -2;  // outside the valid range on purpose
  static constexpr int kMaxInputSize = 1024;
  // The cuts hold N x N affinities and their eigen solver can need O(N^3) on unlucky graphs.
  static constexpr int kMaxCutInputSize = 560;

  // INVALID_ARGUMENT: "clusters must be in [2, 64], got 1".
  absl::Status Validate(const ModelConfig& model) const;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_GROUND_OPTIONS_H_
