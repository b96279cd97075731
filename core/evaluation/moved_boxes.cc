// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/moved_boxes.h"

#include <algorithm>

#include "core/evaluation/corloc.h"
#include "core/evaluation/fingerprint.h"
#include "core/math/random_state.h"

namespace objectdino {

std::vector<std::vector<Box>> MovedBoxes(absl::Span<const Box> truth, ImageSize image,
                                         absl::string_view image_name,
                                         const MovedBoxOptions& options) {
  RandomState random(static_cast<uint32_t>(Fingerprint().Add(image_name).value()));
  std::vector<std::vector<Box>> moved;
  for (const Box& box : truth) {
    std::vector<Box>& places = moved.emplace_back();
    const double width = double{box.x2} - box.x1;
    const double height = double{box.y2} - box.y1;
    const double free_x = std::max(0.0, image.width - width);
    const double free_y = std::max(0.0, image.height - height);
    for (int i = 0; i < options.tries && static_cast<int>(places.size()) < options.per_box; ++i) {
      const double x = random.NextDouble() * free_x;
      const double y = random.NextDouble() * free_y;
      const Box place{static_cast<float>(x), static_cast<float>(y), static_cast<float>(x + width),
                      static_cast<float>(y + height)};
      if (BestIou(place, truth) < options.max_iou) places.push_back(place);
    }
  }
  return moved;
}

}  // namespace objectdino
