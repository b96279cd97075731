// SPDX-License-Identifier: Apache-2.0
// Smooths a map along the edges of a colour image: the guided filter.
//
// In every window of the image the result is an affine function of the three colours, fitted to the
// map with a ridge of kGuidedFilterRidge; a pixel averages the windows that hold it (He, Sun and
// Tang, "Guided image filtering", ECCV 2010, equations 19 to 21). Edges of the map move to edges of
// the image that are within reach; where the image is flat, the map is blurred.
//
//   const GuidedFilter filter(rgb, {height, width}, {.rows = 10, .cols = 10});
//   const std::vector<float> smooth = filter.Apply(map);
//
// Thread-safety: Apply is const and may run concurrently. Cost: O(height * width) whatever the
// radius, in doubles: about 200 bytes a pixel while it lives.
#ifndef OBJECTDINO_CORE_OBJECTS_GUIDED_FILTER_H_
#define OBJECTDINO_CORE_OBJECTS_GUIDED_FILTER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

// Epsilon of the paper, for colours in [0, 1].
inline constexpr double kGuidedFilterRidge = 1e-4;

class GuidedFilter {
 public:
  // A window reaches this many pixels to each side, at least 0; beyond the image it sees the image
  // mirrored.
  struct Radius {
    int rows = 0;
    int cols = 0;
  };

  // `rgb` is [height, width, 3] and not needed after. REQUIRES: at least one pixel.
  GuidedFilter(absl::Span<const uint8_t> rgb, ImageSize image, Radius radius);
  ~GuidedFilter();
  GuidedFilter(GuidedFilter&&) noexcept;

  // [height, width] to [height, width]. The result of a mask may leave [0, 1] a little.
  std::vector<float> Apply(absl::Span<const float> map) const;

 private:
  struct Windows;
  std::unique_ptr<const Windows> windows_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_GUIDED_FILTER_H_
