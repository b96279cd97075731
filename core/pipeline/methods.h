// SPDX-License-Identifier: Apache-2.0
// The methods: from what the heads say of an image to its objectness map and its regions.
//
//   method             map                                     regions
//   OBJECT_DINO        anchored                                stable above Otsu's threshold
//                                                              (object_regions.h)
//   OBJECT_DINO_CUT    anchored                                recursive cut, each time the side
//                                                              with more CLS attention
//   OBJECT_DINO_PAPER  published                               recursive cut, each time the side
//                                                              with the seed
//   TOKENCUT           the first cut's eigenvector, large at   as OBJECT_DINO_PAPER
//                      the seed, min-max scaled
//   LOST               similarity to the expanded seed,        where it is above zero and connected
//                      min-max scaled                          to the seed
//   CLS_ATTENTION      CLS attention, min-max scaled           above Otsu's threshold
//
// No step of a method knows Torch: HeadEvidence is all it sees. Thread-safety: pure functions.
// Cost: see normalized_cut.h, lost.h and otsu.h.
#ifndef OBJECTDINO_CORE_PIPELINE_METHODS_H_
#define OBJECTDINO_CORE_PIPELINE_METHODS_H_

#include <vector>

#include "absl/status/statusor.h"

#include "core/base/patch_grid.h"
#include "core/objects/regions.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounding.h"
#include "core/pipeline/head_evidence.h"
#include "core/weights/model_config.h"

namespace objectdino {

struct Discovery {
  std::vector<float> objectness;  // [rows, cols] in [0, 1], high = object
  std::vector<Region> regions;    // best first, weighed by the map
  std::vector<Warning> warnings;
};

// Runs options.method, with the model's defaults for what the options leave unset. LOW_CONFIDENCE
// warns of a cut of a degenerate graph and of LOST where every patch is like the seed;
// NO_CLEAR_OBJECT of a map without contrast, which comes back as zeros, without regions.
absl::StatusOr<Discovery> DiscoverObjects(HeadEvidence evidence, const PatchGrid& grid,
                                          const GroundOptions& options, const ModelConfig& model);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_METHODS_H_
