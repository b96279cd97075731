// SPDX-License-Identifier: Apache-2.0
// Several objects by cutting again: the object's side of a normalised cut is taken out of the patch
// graph, and what is left is cut (the idea of MaskCut; algorithm.md 2.2).
//
// Patches are taken out as nodes of the graph, not by zeroing their features: with a negative
// threshold a zero vector would be linked to everything. The affinity is computed once. Of each
// object's side, the region that holds the seed is an object, and so is every other connected
// region of at least `min_patches`. The recursion stops when
//   - max_regions are found, or fewer than 2 min_patches (or 3) patches are left,
//   - the rest of the graph is degenerate (every pair linked, or none),
//   - the seed's region is too small, or its mean objectness is not above `stop_objectness`.
// The first cut is never stopped: it finds one region at least.
// Thread-safety: pure function. Cost: one CutGraph for each
// object's side after the first.
#ifndef OBJECTDINO_CORE_OBJECTS_RECURSIVE_CUT_H_
#define OBJECTDINO_CORE_OBJECTS_RECURSIVE_CUT_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/objects/normalized_cut.h"
#include "core/objects/regions.h"

namespace objectdino {

// Chooses the object's side of a cut. `patches` are the numbers on the grid of the nodes that the
// Fiedler vector is over, ascending; the bipartition is over nodes, too.
using SideRule =
    std::function<Bipartition(absl::Span<const double> fiedler, absl::Span<const int> patches)>;

struct RecursiveCutOptions {
  NormalizedCutOptions cut;  // of what is left
  int max_regions = 1;
  int min_patches = 1;
  float stop_objectness = 0;
};

// `affinity` is [N, N]; `fiedler` [N] is the first cut, of the whole graph; `objectness` [rows,
// cols] weighs the regions. Returns disjoint regions in the order of finding, the one with the
// first seed first. Errors of CutGraph.
absl::StatusOr<std::vector<Region>> CutRecursively(absl::Span<const float> affinity,
                                                   absl::Span<const double> fiedler,
                                                   absl::Span<const float> objectness,
                                                   const PatchGrid& grid,
                                                   const SideRule& choose_side,
                                                   const RecursiveCutOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_RECURSIVE_CUT_H_
