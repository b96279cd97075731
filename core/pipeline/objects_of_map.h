// SPDX-License-Identifier: Apache-2.0
// From a mask on the patch grid to ranked objects: regions, scores, boxes, anchors, embeddings.
#ifndef OBJECTDINO_CORE_PIPELINE_OBJECTS_OF_MAP_H_
#define OBJECTDINO_CORE_PIPELINE_OBJECTS_OF_MAP_H_

#include <vector>

#include "absl/types/span.h"

#include "core/objects/regions.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounding.h"

namespace objectdino {

// The regions of `objectness` above its Otsu threshold, largest summed objectness first
// (defaults.md section 2).
std::vector<Region> RegionsAboveOtsu(absl::Span<const float> objectness, const PatchGrid& grid);

// Regions, best first, become objects: those with fewer patches than asked for are left out (never
// the first), then those below min_score, then those past max_objects. Scores as GroundedObject
// says. `patch_tokens` is [N, width]. Thread-safety: pure function. Cost: O(N (width + regions)).
std::vector<GroundedObject> ObjectsOfRegions(std::vector<Region> regions,
                                             absl::Span<const float> objectness,
                                             absl::Span<const float> patch_tokens, int width,
                                             const PatchGrid& grid, ImageSize image,
                                             const GroundOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_OBJECTS_OF_MAP_H_
