// SPDX-License-Identifier: Apache-2.0
// From regions on the patch grid to ranked objects: scores, boxes, anchors, embeddings.
#ifndef OBJECTDINO_CORE_PIPELINE_OBJECTS_OF_MAP_H_
#define OBJECTDINO_CORE_PIPELINE_OBJECTS_OF_MAP_H_

#include <vector>

#include "absl/types/span.h"

#include "core/objects/regions.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounding.h"

namespace objectdino {

// Smallest object in patches: what was asked for, or 1 % of the grid (from 400 patches on, where
// patches are small against objects, 0.4 %). At least 1.
int MinPatches(const GroundOptions& options, const PatchGrid& grid);

// Borrowed.
struct PatchVectors {
  absl::Span<const float> values;  // row-major [N, width], rows of unit length
  int width = 0;
};

// Regions become objects, best first. Scores: ObjectScore where the method selects heads; for the
// methods to compare with, whose maps it was not made for, Otsu's separability of the map by all
// regions times the region's share of their weight, which keeps the published order. With
// options.proposals, the regions of a merge tree over `tokens` join them. Left out: boxes that
// overlap a better one's (IoU above 0.5), regions below MinPatches (but for the first), scores
// below options.min_score, and what comes after options.max_objects. `embedding` is what
// PoolObjectEmbedding pools. Thread-safety: pure function. Cost: O(N (width + regions)), and
// TreeRegions.
std::vector<GroundedObject> ObjectsOfRegions(std::vector<Region> regions,
                                             absl::Span<const float> objectness,
                                             const PatchVectors& tokens,
                                             const PatchVectors& embedding, const PatchGrid& grid,
                                             ImageSize image, const GroundOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_OBJECTS_OF_MAP_H_
