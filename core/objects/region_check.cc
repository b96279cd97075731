// SPDX-License-Identifier: Apache-2.0
#include "core/objects/region_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr double kScoreWidth = 0.125;     // of the logistic function, in units of the rule
constexpr double kAttentionFloor = 1e-9;  // keeps the logarithm finite
constexpr double kLeastRange = 1e-12;
constexpr double kLeastOutside = 1e-9;  // patches: less is the rounding of a region that covers all

double Sum(absl::Span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// Of values in [0, 1]; none where all weights are 0.
std::optional<double> WeightedMean(absl::Span<const double> values,
                                   absl::Span<const double> weights) {
  const double weight = Sum(weights);
  if (weight == 0) return std::nullopt;
  const double sum = std::inner_product(values.begin(), values.end(), weights.begin(), 0.0);
  return std::clamp(sum / weight, 0.0, 1.0);
}

}  // namespace

double ScoreOfRule(double rule) {
  return 1 / (1 + std::exp(-(rule - kLooksLikeObject) / kScoreWidth));
}

RegionCheck::RegionCheck(absl::Span<const float> objectness, absl::Span<const float> cls_attention)
    : objectness_(objectness.begin(), objectness.end()) {
  OBJECTDINO_CHECK(!objectness.empty() && objectness.size() == cls_attention.size());
  mean_objectness_ = Sum(objectness_) / static_cast<double>(objectness_.size());
  log_attention_.reserve(cls_attention.size());
  for (const float share : cls_attention) {
    log_attention_.push_back(std::log(double{share} + kAttentionFloor));
  }
  const auto [low, high] = std::minmax_element(log_attention_.begin(), log_attention_.end());
  const double base = *low;
  const double range = std::max(*high - *low, kLeastRange);
  for (double& value : log_attention_) value = (value - base) / range;
}

RegionReading RegionCheck::Read(const Footprint& region) const {
  OBJECTDINO_CHECK(region.inside.size() == objectness_.size() &&
                   region.around.size() == objectness_.size());
  std::vector<double> outside;  // [rows, cols]
  outside.reserve(region.inside.size());
  for (const double share : region.inside) outside.push_back(1 - share);
  if (Sum(outside) < kLeastOutside) outside.assign(outside.size(), 0);
  return {WeightedMean(objectness_, region.inside).value_or(0),
          WeightedMean(objectness_, region.around).value_or(mean_objectness_),
          WeightedMean(log_attention_, region.inside).value_or(0),
          WeightedMean(log_attention_, outside).value_or(0)};
}

}  // namespace objectdino
