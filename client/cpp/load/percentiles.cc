// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/percentiles.h"

#include <algorithm>
#include <numeric>

namespace objectdino {

double NearestRank(absl::Span<const double> sorted, int per_mille) {
  // In whole numbers: 99.9 % of 1000 values is the 999th, whatever doubles make of it.
  const size_t rank = (sorted.size() * per_mille + 999) / 1000;  // from 1
  return sorted[rank - 1];
}

Distribution Describe(std::vector<double> values) {
  Distribution result;
  if (values.empty()) return result;
  std::sort(values.begin(), values.end());
  result.count = values.size();
  result.mean =
      std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  result.p50 = NearestRank(values, 500);
  result.p90 = NearestRank(values, 900);
  result.p99 = NearestRank(values, 990);
  result.p99_9 = NearestRank(values, 999);
  result.max = values.back();
  return result;
}

}  // namespace objectdino
