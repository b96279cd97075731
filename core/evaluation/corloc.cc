// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/corloc.h"

#include <algorithm>

namespace objectdino {
namespace {

constexpr float kCentreShare = 0.8f;  // of each side

}  // namespace

CorLoc SummarizeIous(absl::Span<const double> ious) {
  CorLoc summary;
  summary.n = static_cast<int>(ious.size());
  if (ious.empty()) return summary;
  const double percent = 100.0 / static_cast<double>(ious.size());
  for (const double iou : ious) {
    summary.corloc += iou >= kCorLocIou ? percent : 0;
    summary.iou70 += iou >= kStrictIou ? percent : 0;
    summary.mean_iou += iou / static_cast<double>(ious.size());
  }
  return summary;
}

double BestIou(const Box& box, absl::Span<const Box> truth) {
  double best = 0;
  for (const Box& candidate : truth) best = std::max(best, BoxIou(box, candidate));
  return best;
}

Box WholeBox(ImageSize image) {
  return {0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
}

Box CentreBox(ImageSize image) {
  const float margin = (1 - kCentreShare) / 2;
  const auto width = static_cast<float>(image.width);
  const auto height = static_cast<float>(image.height);
  return {margin * width, margin * height, (1 - margin) * width, (1 - margin) * height};
}

}  // namespace objectdino
