// SPDX-License-Identifier: Apache-2.0
// How much a claimed box looks like an object (defaults.md section 3).
//
//   score = mean n inside - mean n in the ring around   (a ring of 0.3 of the box's size, cut off
//           at the image's edge; the whole image's mean n where nothing of the ring is left)
//         + mean l inside - mean l outside               (l: log CLS attention, min-max scaled)
//
// n is the objectness map. Means weigh each patch by the share of it that is covered. Scores lie in
// [-2, 2]; from kBoxLooksLikeObject on a box looks like an object.
//
//   const BoxCheck check(grounding.objectness, grounding.cls_attention, grounding.grid,
//                        grounding.image);
//   check.Score(box);
//
// Thread-safety: const after construction. Cost: O(N) a box.
#ifndef OBJECTDINO_CORE_OBJECTS_BOX_CHECK_H_
#define OBJECTDINO_CORE_OBJECTS_BOX_CHECK_H_

#include <vector>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

inline constexpr double kBoxLooksLikeObject = 0.15;

class BoxCheck {
 public:
  // `objectness` in [0, 1] and `cls_attention`, not negative: [rows, cols].
  BoxCheck(absl::Span<const float> objectness, absl::Span<const float> cls_attention,
           const PatchGrid& grid, ImageSize image);

  // `box` in pixels of the image; what lies off the image is not looked at. A box that covers
  // nothing of the image scores as one with nothing inside.
  double Score(const Box& box) const;

 private:
  // [rows, cols]: the share of each patch that `box`, grown by `grow` of its size each way, covers.
  std::vector<double> Coverage(const Box& box, double grow) const;

  std::vector<double> objectness_;     // [rows, cols]
  std::vector<double> log_attention_;  // [rows, cols] in [0, 1]
  PatchGrid grid_;
  ImageSize image_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_BOX_CHECK_H_
