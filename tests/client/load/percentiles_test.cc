// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/percentiles.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

namespace objectdino {
namespace {

// The definition, word by word: the smallest value that is not below at least that share of all.
double SlowPercentile(const std::vector<double>& values, int per_mille) {
  double best = *std::max_element(values.begin(), values.end());
  for (const double candidate : values) {
    const size_t covered = std::count_if(values.begin(), values.end(),
                                         [&](double value) { return value <= candidate; });
    if (covered * 1000 >= values.size() * per_mille) best = std::min(best, candidate);
  }
  return best;
}

TEST(PercentilesTest, Describe_RandomValues_EqualsTheDefinition) {
  std::mt19937 random(7);
  for (const size_t count : {1, 2, 3, 9, 10, 11, 99, 100, 101, 999, 1000, 1001}) {
    std::vector<double> values;
    for (size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(random() % 500) / 8);
    const Distribution d = Describe(values);
    EXPECT_EQ(d.count, count);
    EXPECT_EQ(d.p50, SlowPercentile(values, 500)) << count;
    EXPECT_EQ(d.p90, SlowPercentile(values, 900)) << count;
    EXPECT_EQ(d.p99, SlowPercentile(values, 990)) << count;
    EXPECT_EQ(d.p99_9, SlowPercentile(values, 999)) << count;
    EXPECT_EQ(d.max, *std::max_element(values.begin(), values.end()));
    double sum = 0;
    for (const double value : values) sum += value;
    EXPECT_NEAR(d.mean, sum / static_cast<double>(count), 1e-9);
  }
}

TEST(PercentilesTest, Describe_ThousandAscending_RankIsThePercentile) {
  std::vector<double> values;
  for (int i = 1000; i >= 1; --i) values.push_back(i);
  const Distribution d = Describe(values);
  EXPECT_EQ(d.p50, 500);
  EXPECT_EQ(d.p90, 900);
  EXPECT_EQ(d.p99, 990);
  EXPECT_EQ(d.p99_9, 999);
}

TEST(PercentilesTest, Describe_NoValues_AllZero) {
  const Distribution d = Describe({});
  EXPECT_EQ(d.count, 0U);
  EXPECT_EQ(d.max, 0);
}

}  // namespace
}  // namespace objectdino
