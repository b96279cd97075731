// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/bootstrap.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"

#include "core/math/random_state.h"

namespace objectdino {
namespace {

// The interval of a mean.
Interval OfMean(const std::vector<double>& values, const BootstrapOptions& options = {}) {
  const std::vector<double> ones(values.size(), 1.0);
  return BootstrapInterval(
      static_cast<int>(values.size()),
      [&](absl::Span<const int> counts) { return RatioOfSums(values, ones, counts); }, options);
}

TEST(Bootstrap, EqualsNumPy) {
  // r = numpy.random.RandomState(42); m = [v[floor(7 * r.random_sample(7))].mean() 2000 times];
  // numpy.percentile(m, [2.5, 97.5])
  const std::vector<double> values = {0.1, 0.9, 0.5, 0.7, 0.2, 0.35, 0.8};
  const Interval interval = OfMean(values);
  EXPECT_NEAR(interval.low, 0.3, 1e-8);
  EXPECT_NEAR(interval.high, 0.71428571, 1e-8);
  BootstrapOptions narrower;
  narrower.level = 0.9;
  EXPECT_NEAR(OfMean(values, narrower).low, 0.33571429, 1e-8);
  EXPECT_NEAR(OfMean(values, narrower).high, 0.68571429, 1e-8);
}

TEST(Bootstrap, CoversTheTruth_AboutAsOftenAsItSays) {
  constexpr double kTruth = 0.3;
  constexpr int kTrials = 400;
  RandomState random(1);
  BootstrapOptions options;
  options.resamples = 400;
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> draws(120);
    for (double& draw : draws) draw = random.NextDouble() < kTruth ? 1 : 0;
    options.seed = trial;
    const Interval interval = OfMean(draws, options);
    covered += interval.low <= kTruth && kTruth <= interval.high ? 1 : 0;
  }
  EXPECT_GE(covered, 0.91 * kTrials);
  EXPECT_LE(covered, 0.98 * kTrials) << "an interval that is too wide covers too often";
}

TEST(Bootstrap, CountsSumToTheNumberOfImages) {
  BootstrapInterval(9, [](absl::Span<const int> counts) {
    EXPECT_EQ(counts.size(), 9U);
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0), 9);
    return 0.0;
  });
}

TEST(Bootstrap, OneImageOrOneValue_HasNoWidth) {
  EXPECT_EQ(OfMean({0.4}).low, 0.4);
  EXPECT_EQ(OfMean({0.4}).high, 0.4);
  EXPECT_EQ(OfMean({1, 1, 1}).low, 1);
  EXPECT_EQ(OfMean({1, 1, 1}).high, 1);
}

TEST(Bootstrap, NoImages_IsNoNumber) {
  EXPECT_TRUE(std::isnan(OfMean({}).low));
  EXPECT_TRUE(std::isnan(OfMean({}).high));
}

TEST(Bootstrap, DrawsWithoutAnswer_AreLeftOut) {
  // Only the first image has boxes; draws without it have no recall.
  const std::vector<double> found = {1, 0, 0};
  const std::vector<double> boxes = {2, 0, 0};
  const Interval interval = BootstrapInterval(
      3, [&](absl::Span<const int> counts) { return RatioOfSums(found, boxes, counts); });
  EXPECT_EQ(interval.low, 0.5);
  EXPECT_EQ(interval.high, 0.5);
}

TEST(RatioOfSums, CountsWeighBothSums) {
  EXPECT_DOUBLE_EQ(RatioOfSums({1, 2}, {4, 4}, {}), 3.0 / 8);
  EXPECT_DOUBLE_EQ(RatioOfSums({1, 2}, {4, 4}, {0, 3}), 0.5);
  EXPECT_TRUE(std::isnan(RatioOfSums({1, 2}, {4, 4}, {0, 0})));
}

}  // namespace
}  // namespace objectdino
