// SPDX-License-Identifier: Apache-2.0
#include "core/objects/object_score.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr int kRingPatches = 2;

// Fitted: see the header.
constexpr double kRingContrast = 2.6;
constexpr double kContrast = 0.75;
constexpr double kLogArea = 0.9;
constexpr double kLogAreaSquared = -0.047;
constexpr double kBorder = 1.8;
constexpr double kMass = -0.82;
constexpr double kCore = 1.7;
constexpr double kBias = -0.94;

// `mask` and its 4-neighbours.
std::vector<uint8_t> Grow(absl::Span<const uint8_t> mask, const PatchGrid& grid) {
  std::vector<uint8_t> grown(mask.begin(), mask.end());
  for (int row = 0; row < grid.rows; ++row) {
    for (int col = 0; col < grid.cols; ++col) {
      const int patch = row * grid.cols + col;
      if (mask[patch] == 0) continue;
      if (row > 0) grown[patch - grid.cols] = 1;
      if (row + 1 < grid.rows) grown[patch + grid.cols] = 1;
      if (col > 0) grown[patch - 1] = 1;
      if (col + 1 < grid.cols) grown[patch + 1] = 1;
    }
  }
  return grown;
}

struct Sum {
  double total = 0;
  int patches = 0;
  void Add(float value) {
    total += value;
    ++patches;
  }
  double MeanOr(double none) const { return patches > 0 ? total / patches : none; }
};

}  // namespace

double ObjectScore(absl::Span<const float> objectness, absl::Span<const uint8_t> mask,
                   const PatchGrid& grid, RegionKind kind) {
  OBJECTDINO_CHECK(objectness.size() == mask.size() &&
                   mask.size() == static_cast<size_t>(grid.size()));
  std::vector<uint8_t> grown(mask.begin(), mask.end());
  for (int i = 0; i < kRingPatches; ++i) grown = Grow(grown, grid);

  Sum all;
  Sum inside;
  Sum outside;
  Sum ring;
  int border = 0;
  int border_inside = 0;
  for (int patch = 0; patch < grid.size(); ++patch) {
    const int row = patch / grid.cols;
    const int col = patch % grid.cols;
    const bool is_inside = mask[patch] != 0;
    const float value = objectness[patch];
    all.Add(value);
    (is_inside ? inside : outside).Add(value);
    if (!is_inside && grown[patch] != 0) ring.Add(value);
    if (row == 0 || col == 0 || row + 1 == grid.rows || col + 1 == grid.cols) {
      ++border;
      border_inside += is_inside ? 1 : 0;
    }
  }
  OBJECTDINO_CHECK(inside.patches > 0);
  const double mean = all.MeanOr(0);
  const double log_area = std::log(static_cast<double>(inside.patches) / grid.size());
  const double z = kRingContrast * (inside.MeanOr(0) - ring.MeanOr(mean)) +
                   kContrast * (inside.MeanOr(0) - outside.MeanOr(mean)) + kLogArea * log_area +
                   kLogAreaSquared * log_area * log_area +
                   kBorder * static_cast<double>(border_inside) / border +
                   (all.total > 0 ? kMass * inside.total / all.total : 0) +
                   (kind == RegionKind::kObject ? kCore : 0) + kBias;
  return 1 / (1 + std::exp(-z));
}

}  // namespace objectdino
