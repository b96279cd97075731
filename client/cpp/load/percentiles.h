// SPDX-License-Identifier: Apache-2.0
// Exact percentiles: the smallest value that at least that share of all values does not exceed
// (nearest rank; NumPy's method "inverted_cdf"). Nothing is interpolated or binned.
// Thread-safety: pure functions. Cost: O(n log n).
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_PERCENTILES_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_PERCENTILES_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

namespace objectdino {

// All zero without values.
struct Distribution {
  size_t count = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double p99_9 = 0;
  double max = 0;
};

// `sorted`: ascending, not empty. `per_mille`: 1 .. 1000, 500 = the median.
double NearestRank(absl::Span<const double> sorted, int per_mille);

Distribution Describe(std::vector<double> values);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_PERCENTILES_H_
