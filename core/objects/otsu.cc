// SPDX-License-Identifier: Apache-2.0
#include "core/objects/otsu.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// numpy.linspace(first, last, bins + 1) in float32.
std::vector<float> BinEdges(float first, float last, int bins) {
  const float step = (last - first) / static_cast<float>(bins);
  std::vector<float> edges(bins + 1);
  for (int i = 0; i < bins; ++i) edges[i] = static_cast<float>(i) * step + first;
  edges[bins] = last;
  return edges;
}

// numpy.histogram's bin of a value: half-open bins, the last one closed.
int BinOf(float value, const std::vector<float>& edges) {
  const auto bins = static_cast<int>(edges.size()) - 1;
  const float position =
      (value - edges.front()) / (edges.back() - edges.front()) * static_cast<float>(bins);
  // Written so that NaN, from a range that overflows or vanishes, lands in the first bin.
  int bin = position > 0 ? static_cast<int>(std::min(position, static_cast<float>(bins - 1))) : 0;
  if (value < edges[bin] && bin > 0) --bin;
  if (value >= edges[bin + 1] && bin < bins - 1) ++bin;
  return bin;
}

}  // namespace

float OtsuThreshold(absl::Span<const float> values, int bins) {
  OBJECTDINO_CHECK(!values.empty() && bins >= 1);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const bool constant = *low == *high;
  const std::vector<float> edges =
      BinEdges(constant ? *low - 0.5f : *low, constant ? *high + 0.5f : *high, bins);
  std::vector<int64_t> counts(bins, 0);
  for (const float value : values) ++counts[BinOf(value, edges)];

  const auto centre = [&](int bin) { return (edges[bin] + edges[bin + 1]) / 2; };
  double total = 0;  // of the values, each at its bin's centre
  for (int bin = 0; bin < bins; ++bin) total += static_cast<double>(counts[bin]) * centre(bin);

  int best = 0;
  double best_variance = -1;
  int64_t below = 0;
  double below_total = 0;
  for (int bin = 0; bin < bins; ++bin) {
    below += counts[bin];
    below_total += static_cast<double>(counts[bin]) * centre(bin);
    const int64_t above = static_cast<int64_t>(values.size()) - below;
    if (below == 0 || above == 0) continue;
    const double distance = below_total / static_cast<double>(below) -
                            (total - below_total) / static_cast<double>(above);
    const double variance = static_cast<double>(below * above) * (distance * distance);
    if (variance > best_variance) {
      best_variance = variance;
      best = bin;
    }
  }
  return centre(best);
}

float Separability(absl::Span<const float> values, absl::Span<const uint8_t> mask) {
  OBJECTDINO_CHECK(values.size() == mask.size());
  double inside_total = 0;
  double outside_total = 0;
  double inside = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    (mask[i] != 0 ? inside_total : outside_total) += values[i];
    inside += mask[i] != 0 ? 1 : 0;
  }
  const auto count = static_cast<double>(values.size());
  const double outside = count - inside;
  if (inside == 0 || outside == 0) return 0;
  const double mean = (inside_total + outside_total) / count;
  double scatter = 0;  // count times the total variance
  for (const float value : values) scatter += (value - mean) * (value - mean);
  const double contrast = inside_total / inside - outside_total / outside;
  if (contrast <= 0 || scatter <= 0) return 0;
  const double between = inside * outside / count * contrast * contrast;
  return static_cast<float>(std::min(1.0, between / scatter));
}

}  // namespace objectdino
