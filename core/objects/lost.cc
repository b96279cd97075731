// SPDX-License-Identifier: Apache-2.0
#include "core/objects/lost.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "core/base/status_macros.h"

namespace objectdino {

SeedExpansion ExpandSeed(absl::Span<const float> products, int patches, int candidates) {
  const auto n = static_cast<size_t>(patches);
  OBJECTDINO_CHECK(patches >= 1 && candidates >= 1 && products.size() == n * n);
  std::vector<int> degrees(n);
  for (size_t i = 0; i < n; ++i) {
    const absl::Span<const float> row = products.subspan(i * n, n);
    degrees[i] = static_cast<int>(
        std::count_if(row.begin(), row.end(), [](float product) { return product > 0; }));
  }
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&degrees](int a, int b) { return degrees[a] < degrees[b]; });
  order.resize(std::min(n, static_cast<size_t>(candidates)));

  SeedExpansion expansion;
  expansion.seed = order.front();
  const absl::Span<const float> of_seed = products.subspan(expansion.seed * n, n);
  std::vector<double> sum(n, 0.0);
  for (const int candidate : order) {
    if (!(of_seed[candidate] > 0)) continue;
    const absl::Span<const float> row = products.subspan(candidate * n, n);
    for (size_t j = 0; j < n; ++j) sum[j] += row[j];
  }
  expansion.similarity.assign(sum.begin(), sum.end());
  for (const double similarity : sum) expansion.mask.push_back(similarity > 0 ? 1 : 0);
  expansion.mask[expansion.seed] = 1;
  return expansion;
}

}  // namespace objectdino
