// SPDX-License-Identifier: Apache-2.0
// Proposals: the regions of a tree that merges neighbouring patches, from single patches to the
// whole grid, the most alike first. Objects of all sizes are among its nodes.
//
// Each region carries the mean of its patches' vectors. In each step the two 4-neighbouring regions
// a, b with the smallest |mean_a - mean_b|^2 * sqrt(|a| |b| / (|a| + |b|)) merge (|a| in patches;
// the square root lies between mean linkage, 1, and Ward's, the whole factor: large regions wait,
// but not too long). On a tie the pair that was formed first merges first.
// Thread-safety: pure function. Cost: O(N log N) heap steps of O(D) each.
#ifndef OBJECTDINO_CORE_OBJECTS_REGION_TREE_H_
#define OBJECTDINO_CORE_OBJECTS_REGION_TREE_H_

#include <vector>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/objects/regions.h"

namespace objectdino {

// `vectors` is row-major [N, width], L2-normalised rows (patch tokens); `weights` [N]. The merged
// regions that have min_patches .. max_patches patches, in the order of merging.
std::vector<Region> TreeRegions(absl::Span<const float> vectors, int width,
                                absl::Span<const float> weights, const PatchGrid& grid,
                                int min_patches, int max_patches);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_REGION_TREE_H_
