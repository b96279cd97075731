// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "core/math/random_state.h"

namespace objectdino {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// `sorted` is not empty; `share` in [0, 1].
double Percentile(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

Interval BootstrapInterval(int n, const std::function<double(absl::Span<const int>)>& statistic,
                           const BootstrapOptions& options) {
  RandomState random(options.seed);
  std::vector<double> values;
  std::vector<int> counts;
  for (int resample = 0; n > 0 && resample < options.resamples; ++resample) {
    counts.assign(static_cast<size_t>(n), 0);
    for (int i = 0; i < n; ++i) ++counts[static_cast<size_t>(random.NextDouble() * n)];
    const double value = statistic(counts);
    if (!std::isnan(value)) values.push_back(value);
  }
  if (values.empty()) return {kNone, kNone};
  std::sort(values.begin(), values.end());
  const double tail = (1 - options.level) / 2;
  return {Percentile(values, tail), Percentile(values, 1 - tail)};
}

double RatioOfSums(absl::Span<const double> values, absl::Span<const double> weights,
                   absl::Span<const int> counts) {
  double numerator = 0;
  double denominator = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double count = counts.empty() ? 1 : counts[i];
    numerator += count * values[i];
    denominator += count * weights[i];
  }
  return denominator > 0 ? numerator / denominator : kNone;
}

}  // namespace objectdino
