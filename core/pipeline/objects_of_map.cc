// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/objects_of_map.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/objects/object_embedding.h"
#include "core/objects/otsu.h"

namespace objectdino {
namespace {

constexpr double kMinAreaFraction = 0.01;  // of the patches (defaults.md section 2)

}  // namespace

std::vector<Region> RegionsAboveOtsu(absl::Span<const float> objectness, const PatchGrid& grid) {
  const float threshold = OtsuThreshold(objectness);
  std::vector<uint8_t> mask(objectness.size());
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = objectness[i] > threshold ? 1 : 0;
  std::vector<Region> regions = ConnectedRegions(mask, objectness, grid);
  std::stable_sort(regions.begin(), regions.end(),
                   [](const Region& a, const Region& b) { return a.weight > b.weight; });
  return regions;
}

std::vector<GroundedObject> ObjectsOfRegions(std::vector<Region> regions,
                                             absl::Span<const float> objectness,
                                             absl::Span<const float> patch_tokens, int width,
                                             const PatchGrid& grid, ImageSize image,
                                             const GroundOptions& options) {
  const double min_patches = options.min_patches > 0
                                 ? options.min_patches
                                 : kMinAreaFraction * static_cast<double>(grid.size());
  std::vector<uint8_t> found(objectness.size(), 0);
  double found_weight = 0;
  std::vector<Region> kept;
  for (Region& region : regions) {
    if (!kept.empty() && region.patches < min_patches) continue;
    for (size_t i = 0; i < found.size(); ++i) found[i] |= region.mask[i];
    found_weight += region.weight;
    kept.push_back(std::move(region));
  }
  const double separability = Separability(objectness, found);

  std::vector<GroundedObject> objects;
  for (Region& region : kept) {
    if (static_cast<int>(objects.size()) == options.max_objects) break;
    GroundedObject object;
    object.score = found_weight > 0 ? separability * region.weight / found_weight : 0;
    if (object.score < options.min_score) continue;
    object.box = RegionBox(region.mask, grid, image);
    object.anchor = RegionAnchor(region.mask, objectness, grid, image);
    object.patches = region.patches;
    object.embedding = PoolObjectEmbedding(patch_tokens, width, region.mask);
    object.mask = std::move(region.mask);
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace objectdino
