// SPDX-License-Identifier: Apache-2.0
#include "core/objects/object_regions.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/objects/otsu.h"

namespace objectdino {
namespace {

// A core whose box overlaps the region's less than this shows that the region was joined.
constexpr double kStableIou = 0.6;

void SortByWeight(std::vector<Region>& regions) {
  std::stable_sort(regions.begin(), regions.end(),
                   [](const Region& a, const Region& b) { return a.weight > b.weight; });
}

bool Contains(const Region& outer, const Region& inner) {
  for (size_t i = 0; i < inner.mask.size(); ++i) {
    if (inner.mask[i] != 0) return outer.mask[i] != 0;  // inner is connected: one patch tells
  }
  return false;
}

double BoxOverlap(const Region& a, const Region& b, const PatchGrid& grid) {
  const ImageSize patches{grid.rows, grid.cols};
  return BoxIou(RegionBox(a.mask, grid, patches), RegionBox(b.mask, grid, patches));
}

}  // namespace

std::vector<Region> RegionsAboveOtsu(absl::Span<const float> map, absl::Span<const float> weights,
                                     const PatchGrid& grid) {
  const float threshold = OtsuThreshold(map);
  std::vector<uint8_t> mask(map.size());
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = map[i] > threshold ? 1 : 0;
  std::vector<Region> regions = ConnectedRegions(mask, weights, grid);
  SortByWeight(regions);
  return regions;
}

std::vector<Region> ObjectRegions(absl::Span<const float> objectness, const PatchGrid& grid,
                                  int min_patches) {
  std::vector<float> squares(objectness.begin(), objectness.end());
  for (float& value : squares) value *= value;
  std::vector<Region> all_cores = RegionsAboveOtsu(squares, objectness, grid);

  std::vector<Region> objects;
  for (Region& region : RegionsAboveOtsu(objectness, objectness, grid)) {
    std::vector<Region> cores;  // heaviest first
    for (const Region& core : all_cores) {
      if (core.patches >= min_patches && Contains(region, core)) cores.push_back(core);
    }
    const bool joined = !cores.empty() && BoxOverlap(region, cores.front(), grid) < kStableIou;
    if (!joined) cores = {std::move(region)};
    std::move(cores.begin(), cores.end(), std::back_inserter(objects));
  }
  SortByWeight(objects);
  const auto small = [min_patches](const Region& region) { return region.patches < min_patches; };
  objects.erase(std::remove_if(objects.begin() + 1, objects.end(), small), objects.end());
  return objects;
}

}  // namespace objectdino
