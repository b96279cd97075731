// SPDX-License-Identifier: Apache-2.0
#include "core/objects/box_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace objectdino {
namespace {

constexpr double kRing = 0.3;             // of the box's size, each way
constexpr double kAttentionFloor = 1e-9;  // keeps the logarithm finite
constexpr double kLeastWeight = 1e-9;
constexpr double kLeastRange = 1e-12;

// For an axis of `cells`: the share of each that [low, high) covers.
std::vector<double> AxisCoverage(double low, double high, int cells) {
  std::vector<double> shares(static_cast<size_t>(cells));
  for (int i = 0; i < cells; ++i) {
    shares[i] =
        std::clamp(std::min(high, i + 1.0) - std::max(low, static_cast<double>(i)), 0.0, 1.0);
  }
  return shares;
}

double WeightedMean(absl::Span<const double> values, absl::Span<const double> weights) {
  const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
  return std::inner_product(values.begin(), values.end(), weights.begin(), 0.0) /
         std::max(weight, kLeastWeight);
}

}  // namespace

BoxCheck::BoxCheck(absl::Span<const float> objectness, absl::Span<const float> cls_attention,
                   const PatchGrid& grid, ImageSize image)
    : objectness_(objectness.begin(), objectness.end()), grid_(grid), image_(image) {
  log_attention_.reserve(cls_attention.size());
  for (const float share : cls_attention) {
    log_attention_.push_back(std::log(double{share} + kAttentionFloor));
  }
  const auto [low, high] = std::minmax_element(log_attention_.begin(), log_attention_.end());
  const double base = *low;
  const double range = std::max(*high - *low, kLeastRange);
  for (double& value : log_attention_) value = (value - base) / range;
}

double BoxCheck::Score(const Box& box) const {
  const std::vector<double> inside = Coverage(box, 0);
  std::vector<double> ring = Coverage(box, kRing);
  std::vector<double> outside(inside.size());
  for (size_t i = 0; i < inside.size(); ++i) {
    ring[i] = std::max(ring[i] - inside[i], 0.0);
    outside[i] = 1 - inside[i];
  }
  const bool has_ring = std::any_of(ring.begin(), ring.end(), [](double w) { return w > 0; });
  if (!has_ring) std::fill(ring.begin(), ring.end(), 1.0);
  return WeightedMean(objectness_, inside) - WeightedMean(objectness_, ring) +
         WeightedMean(log_attention_, inside) - WeightedMean(log_attention_, outside);
}

std::vector<double> BoxCheck::Coverage(const Box& box, double grow) const {
  const double width = double{box.x2} - box.x1;
  const double height = double{box.y2} - box.y1;
  const auto axis = [grow](double low, double high, double size, int pixels, int cells) {
    return AxisCoverage(std::max(0.0, low - grow * size) * cells / pixels,
                        std::min(static_cast<double>(pixels), high + grow * size) * cells / pixels,
                        cells);
  };
  const std::vector<double> rows = axis(box.y1, box.y2, height, image_.height, grid_.rows);
  const std::vector<double> cols = axis(box.x1, box.x2, width, image_.width, grid_.cols);
  std::vector<double> shares;  // [rows, cols]
  shares.reserve(rows.size() * cols.size());
  for (const double row : rows) {
    for (const double col : cols) shares.push_back(row * col);
  }
  return shares;
}

}  // namespace objectdino
