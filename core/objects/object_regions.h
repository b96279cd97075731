// SPDX-License-Identifier: Apache-2.0
// Which regions of an objectness map are objects: Otsu's threshold, and a second look at regions
// that one threshold runs together.
//
// One threshold for the whole image is too low where objects touch or stand close: their regions
// join. So the map is also thresholded where its squares are split best (Otsu on n^2), which is
// higher: the cores. A region whose heaviest core has a much smaller box (IoU below 0.6) was joined
// and is replaced by its cores; any other region is stable and stays as it is. Measured in
// docs/discovery.md.
// Thread-safety: pure functions. Cost: O(patches * regions).
#ifndef OBJECTDINO_CORE_OBJECTS_OBJECT_REGIONS_H_
#define OBJECTDINO_CORE_OBJECTS_OBJECT_REGIONS_H_

#include <vector>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/objects/regions.h"

namespace objectdino {

// The regions of `map` above its Otsu threshold, heaviest first. Both spans are [rows, cols].
std::vector<Region> RegionsAboveOtsu(absl::Span<const float> map, absl::Span<const float> weights,
                                     const PatchGrid& grid);

// `objectness` is [rows, cols] in [0, 1]. Regions by falling weight (summed objectness); of those
// with fewer than `min_patches` patches only the heaviest of all can be among them. Never empty: a
// constant map is one region.
std::vector<Region> ObjectRegions(absl::Span<const float> objectness, const PatchGrid& grid,
                                  int min_patches);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_OBJECT_REGIONS_H_
