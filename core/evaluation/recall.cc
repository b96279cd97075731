// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/recall.h"

#include <cstddef>
#include <vector>

namespace objectdino {
namespace {

constexpr double kFirst = 0.5;
constexpr double kLast = 0.95;
constexpr double kSlack = 1e-10;  // COCOeval's: an IoU of 1 passes a threshold of 1

int CountAt(absl::Span<const std::vector<double>> ious, size_t boxes, double threshold) {
  std::vector<bool> taken(boxes, false);
  int found = 0;
  for (const std::vector<double>& of_prediction : ious) {
    double best = threshold < 1 - kSlack ? threshold : 1 - kSlack;
    size_t match = boxes;
    for (size_t i = 0; i < boxes; ++i) {
      if (taken[i] || of_prediction[i] < best) continue;
      best = of_prediction[i];
      match = i;
    }
    if (match == boxes) continue;
    taken[match] = true;
    ++found;
  }
  return found;
}

}  // namespace

std::array<double, kRecallThresholds> RecallThresholds() {
  std::array<double, kRecallThresholds> thresholds = {};
  const double step = (kLast - kFirst) / (kRecallThresholds - 1);  // as numpy.linspace
  for (int i = 0; i < kRecallThresholds; ++i) thresholds[i] = i * step + kFirst;
  thresholds.back() = kLast;
  return thresholds;
}

std::array<int, kRecallThresholds> CountFound(absl::Span<const Box> predictions,
                                              absl::Span<const Box> truth) {
  std::vector<std::vector<double>> ious;  // [predictions, truth]
  for (const Box& prediction : predictions) {
    std::vector<double>& row = ious.emplace_back();
    for (const Box& box : truth) row.push_back(BoxIou(prediction, box));
  }
  std::array<int, kRecallThresholds> found = {};
  const auto thresholds = RecallThresholds();
  for (int i = 0; i < kRecallThresholds; ++i) found[i] = CountAt(ious, truth.size(), thresholds[i]);
  return found;
}

}  // namespace objectdino
