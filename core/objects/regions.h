// SPDX-License-Identifier: Apache-2.0
// Connected regions on the patch grid, their boxes and anchor points.
//
// Masks are row-major [rows, cols], non-zero = inside, 4-connected (scipy.ndimage.label's default
// structure). Thread-safety: pure functions. Cost: O(rows * cols), times the number of regions
// where every region is returned.
#ifndef OBJECTDINO_CORE_OBJECTS_REGIONS_H_
#define OBJECTDINO_CORE_OBJECTS_REGIONS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

struct Region {
  std::vector<uint8_t> mask;  // [rows, cols], 0 or 1
  int patches = 0;            // number of ones
  double weight = 0;          // sum of the weights inside
};

struct Point {
  float x = 0;
  float y = 0;
};

// The components of `mask`, in raster order of their first patch. `weights` is [rows, cols].
std::vector<Region> ConnectedRegions(absl::Span<const uint8_t> mask,
                                     absl::Span<const float> weights, const PatchGrid& grid);

// The component that holds patch `seed`. REQUIRES: mask[seed] != 0.
Region RegionAt(absl::Span<const uint8_t> mask, int seed, absl::Span<const float> weights,
                const PatchGrid& grid);

// Bounds of the ones of `mask`, scaled from the grid to the image. REQUIRES: at least one patch.
Box RegionBox(absl::Span<const uint8_t> mask, const PatchGrid& grid, ImageSize image);

// Centre, in image pixels, of the patch deepest inside the mask: the largest city-block distance to
// the outside (the grid's border counts as outside), ties by the larger weight, then the lower
// index. REQUIRES: at least one patch.
Point RegionAnchor(absl::Span<const uint8_t> mask, absl::Span<const float> weights,
                   const PatchGrid& grid, ImageSize image);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_REGIONS_H_
