// SPDX-License-Identifier: Apache-2.0
#include "core/objects/recursive_cut.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// The rows and columns of `patches`: [n, n].
std::vector<float> SubGraph(absl::Span<const float> affinity, int size,
                            const std::vector<int>& patches) {
  std::vector<float> part;
  part.reserve(patches.size() * patches.size());
  for (const int row : patches) {
    const float* values = affinity.data() + static_cast<size_t>(row) * size;
    for (const int col : patches) part.push_back(values[col]);
  }
  return part;
}

// The regions of one object's side, the seed's first, the others by falling weight.
std::vector<Region> RegionsOfSide(const Bipartition& side, const std::vector<int>& patches,
                                  absl::Span<const float> objectness, const PatchGrid& grid) {
  std::vector<uint8_t> mask(objectness.size(), 0);  // [rows, cols]
  for (size_t node = 0; node < patches.size(); ++node) mask[patches[node]] = side.mask[node];
  std::vector<Region> regions = ConnectedRegions(mask, objectness, grid);
  const int seed = patches[side.seed];
  std::stable_sort(regions.begin(), regions.end(), [seed](const Region& a, const Region& b) {
    if (a.mask[seed] != b.mask[seed]) return a.mask[seed] != 0;
    return a.weight > b.weight;
  });
  return regions;
}

bool IsObject(const Region& region, const RecursiveCutOptions& options) {
  return region.patches >= options.min_patches &&
         region.weight / region.patches > options.stop_objectness;
}

}  // namespace

absl::StatusOr<std::vector<Region>> CutRecursively(absl::Span<const float> affinity,
                                                   absl::Span<const double> fiedler,
                                                   absl::Span<const float> objectness,
                                                   const PatchGrid& grid,
                                                   const SideRule& choose_side,
                                                   const RecursiveCutOptions& options) {
  const int size = grid.size();
  std::vector<int> patches(size);  // still in the graph
  std::iota(patches.begin(), patches.end(), 0);

  std::vector<Region> found;
  NormalizedCut cut{.fiedler = std::vector<double>(fiedler.begin(), fiedler.end())};
  for (bool first = true;; first = false) {
    const Bipartition side = choose_side(cut.fiedler, patches);
    std::vector<Region> regions = RegionsOfSide(side, patches, objectness, grid);
    if (!first && !IsObject(regions.front(), options)) return found;
    for (size_t i = 0; i < regions.size(); ++i) {
      if (static_cast<int>(found.size()) == options.max_regions) return found;
      if (i == 0 || IsObject(regions[i], options)) found.push_back(std::move(regions[i]));
    }
    std::vector<int> rest;
    for (size_t node = 0; node < patches.size(); ++node) {
      if (side.mask[node] == 0) rest.push_back(patches[node]);
    }
    patches = std::move(rest);
    const auto left = static_cast<int>(patches.size());
    if (left < std::max(3, 2 * options.min_patches)) return found;
    OBJECTDINO_ASSIGN_OR_RETURN(cut,
                                CutGraph(SubGraph(affinity, size, patches), left, options.cut));
    if (cut.degenerate) return found;
  }
}

}  // namespace objectdino
