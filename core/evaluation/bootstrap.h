// SPDX-License-Identifier: Apache-2.0
// How far a figure might have come out otherwise with other images: percentile bootstrap (Efron
// 1979).
//
//   // mean of values[i] over the images that were drawn
//   const Interval interval = BootstrapInterval(n, [&](absl::Span<const int> counts) {
//     return RatioOfSums(values, ones, counts);
//   });
//
// Thread-safety: pure functions. Cost: resamples * (n + the statistic's).
#ifndef OBJECTDINO_CORE_EVALUATION_BOOTSTRAP_H_
#define OBJECTDINO_CORE_EVALUATION_BOOTSTRAP_H_

#include <cstdint>
#include <functional>

#include "absl/types/span.h"

namespace objectdino {

struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  int resamples = 2000;
  uint32_t seed = 42;
  double level = 0.95;  // (0, 1): share of the resamples inside the interval
};

// `statistic` is called with how often each of the n images was drawn, summing to n. It may return
// NaN where a draw has no answer; such draws are left out. The interval's ends are percentiles with
// linear interpolation (numpy.percentile's default); NaN where there is no draw with an answer. The
// same options give the same draws: floor(n * u) with u from RandomState(seed), image by image.
// REQUIRES: n >= 0.
Interval BootstrapInterval(int n, const std::function<double(absl::Span<const int>)>& statistic,
                           const BootstrapOptions& options = {});

// sum(counts * values) / sum(counts * weights); NaN where the denominator is 0. Spans of one size;
// empty `counts` are all ones.
double RatioOfSums(absl::Span<const double> values, absl::Span<const double> weights,
                   absl::Span<const int> counts);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_BOOTSTRAP_H_
