// SPDX-License-Identifier: Apache-2.0
// CorLoc: how often the one best box is right; and the two trivial boxes that stand beside it.
// Thread-safety: pure functions.
#ifndef OBJECTDINO_CORE_EVALUATION_CORLOC_H_
#define OBJECTDINO_CORE_EVALUATION_CORLOC_H_

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

// A box is right from this IoU on.
inline constexpr double kCorLocIou = 0.5;
inline constexpr double kStrictIou = 0.7;

// Over n images, of each image's best IoU between its one predicted box and any ground-truth box.
struct CorLoc {
  int n = 0;
  double corloc = 0;    // percent of images with IoU >= 0.5
  double mean_iou = 0;  // [0, 1]
  double iou70 = 0;     // percent of images with IoU >= 0.7
};

CorLoc SummarizeIous(absl::Span<const double> ious);

// Largest IoU of `box` with any of `truth`.
double BestIou(const Box& box, absl::Span<const Box> truth);

// The trivial answers: everything, and 0.8 of each side in the middle.
Box WholeBox(ImageSize image);
Box CentreBox(ImageSize image);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_CORLOC_H_
