// SPDX-License-Identifier: Apache-2.0
// Wrong claims to test a box check with: true boxes moved to other places of the same image.
// Thread-safety: pure function.
#ifndef OBJECTDINO_CORE_EVALUATION_MOVED_BOXES_H_
#define OBJECTDINO_CORE_EVALUATION_MOVED_BOXES_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

struct MovedBoxOptions {
  int per_box = 5;       // places for each true box
  int tries = 400;       // random places looked at for each true box
  double max_iou = 0.1;  // a place is legal below this IoU with every true box
};

// For each of `truth`, boxes of its size at legal places, uniformly among those inside the image:
// up to per_box, none where the tries find none. The places depend on `image_name` (and the boxes)
// alone, not on other images or on what ran before.
std::vector<std::vector<Box>> MovedBoxes(absl::Span<const Box> truth, ImageSize image,
                                         absl::string_view image_name,
                                         const MovedBoxOptions& options = {});

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_MOVED_BOXES_H_
