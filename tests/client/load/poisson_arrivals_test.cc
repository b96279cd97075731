// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/poisson_arrivals.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace objectdino {
namespace {

std::vector<double> Gaps(double rate, uint32_t seed, size_t count) {
  PoissonArrivals arrivals(rate, seed);
  std::vector<double> gaps;
  absl::Duration last;
  for (size_t i = 0; i < count; ++i) {
    const absl::Duration due = arrivals.Next();
    gaps.push_back(absl::ToDoubleSeconds(due - last));
    last = due;
  }
  return gaps;
}

TEST(PoissonArrivalsTest, Next_ManyGaps_MeanDeviationAndTailOfTheExponential) {
  constexpr size_t kCount = 100'000;
  for (const double rate : {0.5, 40.0, 2000.0}) {
    double sum = 0, squares = 0;
    size_t beyond_mean = 0;
    for (const double gap : Gaps(rate, 3, kCount)) {
      EXPECT_GE(gap, 0);
      sum += gap * rate;
      squares += gap * rate * gap * rate;
      if (gap * rate > 1) ++beyond_mean;
    }
    const double mean = sum / kCount;
    EXPECT_NEAR(mean, 1, 0.02) << rate;
    EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean), 1, 0.03) << rate;
    EXPECT_NEAR(static_cast<double>(beyond_mean) / kCount, std::exp(-1), 0.01) << rate;
  }
}

TEST(PoissonArrivalsTest, Next_Seed_DecidesTheArrivals) {
  EXPECT_EQ(Gaps(10, 1, 50), Gaps(10, 1, 50));
  EXPECT_NE(Gaps(10, 1, 50), Gaps(10, 2, 50));
}

}  // namespace
}  // namespace objectdino
