// SPDX-License-Identifier: Apache-2.0
// How many ground-truth boxes the first k predictions find, as pycocotools' COCOeval counts them
// for one class without crowds.
// Thread-safety: pure functions. Cost: O(k * boxes) a threshold.
#ifndef OBJECTDINO_CORE_EVALUATION_RECALL_H_
#define OBJECTDINO_CORE_EVALUATION_RECALL_H_

#include <array>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

inline constexpr int kRecallThresholds = 10;

// IoU .50, .55, ... .95.
std::array<double, kRecallThresholds> RecallThresholds();

// The number of boxes found at each threshold. Predictions, best first, are matched one-to-one:
// each takes, of the boxes that are still free and reach the threshold, the one it overlaps most
// (the last of equals). Recall is the first number over the number of boxes; AR the mean over all
// ten.
std::array<int, kRecallThresholds> CountFound(absl::Span<const Box> predictions,
                                              absl::Span<const Box> truth);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_RECALL_H_
