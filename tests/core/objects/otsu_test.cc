// SPDX-License-Identifier: Apache-2.0
#include "core/objects/otsu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace objectdino {
namespace {

using Values = std::vector<float>;
using Mask = std::vector<uint8_t>;

Values RandomValues(int count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Values values(count);
  for (float& value : values) value = normal(engine);
  return values;
}

// The definition, over the same bins, with the classes summed afresh for every threshold.
float NaiveOtsu(const Values& values, int bins) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float step = (*high - *low) / static_cast<float>(bins);
  Values edges;
  for (int i = 0; i < bins; ++i) edges.push_back(static_cast<float>(i) * step + *low);
  edges.push_back(*high);
  const auto centre_of = [&](float value) {
    int bin = 0;
    while (bin + 1 < bins && value >= edges[bin + 1]) ++bin;
    return (edges[bin] + edges[bin + 1]) / 2;
  };
  float best = 0;
  double best_variance = -1;
  for (int bin = 0; bin + 1 < bins; ++bin) {
    double sum[2] = {0, 0};
    double count[2] = {0, 0};
    for (const float value : values) {
      const int side = value >= edges[bin + 1] ? 1 : 0;
      sum[side] += centre_of(value);
      count[side] += 1;
    }
    if (count[0] == 0 || count[1] == 0) continue;
    const double variance =
        count[0] * count[1] * std::pow(sum[0] / count[0] - sum[1] / count[1], 2);
    if (variance <= best_variance * (1 + 1e-12)) continue;
    best_variance = variance;
    best = (edges[bin] + edges[bin + 1]) / 2;
  }
  return best;
}

// Thresholds of numpy.histogram and the formula in float64, in bits.
TEST(OtsuThreshold, RampOfSquares_EqualsNumpyBitForBit) {
  Values values;
  for (int i = 0; i < 100; ++i) values.push_back(static_cast<float>(i * i) / 7.0F);
  EXPECT_EQ(OtsuThreshold(values), 566.073364F);
  EXPECT_EQ(OtsuThreshold(values, 10), 490.049988F);
}

TEST(OtsuThreshold, RandomMaps_EqualTheDefinition) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    const Values values = RandomValues(2 + static_cast<int>(seed) * 3, seed);
    const int bins = 2 + static_cast<int>(seed % 40);
    EXPECT_EQ(OtsuThreshold(values, bins), NaiveOtsu(values, bins)) << "seed " << seed;
  }
}

TEST(OtsuThreshold, TwoClasses_AreSeparatedByTheLowerOnesBin) {
  EXPECT_EQ(OtsuThreshold(Values{0, 0, 0, 1, 1}, 256), 0.5F / 256);
}

TEST(OtsuThreshold, ConstantMap_IsItsFirstBinsCentre) {
  EXPECT_EQ(OtsuThreshold(Values{3, 3, 3}, 256), 2.5F + 0.5F / 256);
  EXPECT_EQ(OtsuThreshold(Values{3}, 1), 3);
}

TEST(OtsuThreshold, RangeThatOverflowsOrVanishes_IsSafe) {
  constexpr float kMax = std::numeric_limits<float>::max();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  OtsuThreshold(Values{-kMax, 0, kMax});
  EXPECT_EQ(OtsuThreshold(Values{1e10F, 1e10F}), 1e10F);
  EXPECT_TRUE(std::isfinite(OtsuThreshold(Values{0, kTiny, 2 * kTiny})));
}

TEST(Separability, TwoConstantClasses_IsOne) {
  EXPECT_FLOAT_EQ(Separability(Values{0, 0, 5, 5, 5}, Mask{0, 0, 1, 1, 7}), 1);
}

TEST(Separability, KnownVariances_GivesTheirRatio) {
  // Means 1 and 5 around 3: between 4, total (9 + 1 + 1 + 9) / 4 = 5.
  EXPECT_FLOAT_EQ(Separability(Values{0, 2, 4, 6}, Mask{0, 0, 1, 1}), 0.8F);
}

TEST(Separability, DarkerInside_IsZero) {
  EXPECT_EQ(Separability(Values{0, 2, 4, 6}, Mask{1, 1, 0, 0}), 0);
}

TEST(Separability, OneSideEmptyOrConstantMap_IsZero) {
  EXPECT_EQ(Separability(Values{0, 2}, Mask{0, 0}), 0);
  EXPECT_EQ(Separability(Values{0, 2}, Mask{1, 1}), 0);
  EXPECT_EQ(Separability(Values{2, 2}, Mask{0, 1}), 0);
}

TEST(Separability, OtsuMask_IsBestOfAllThresholds) {
  const Values values = RandomValues(60, 4);
  const auto above = [&](float threshold) {
    Mask mask;
    for (const float value : values) mask.push_back(value > threshold ? 1 : 0);
    return mask;
  };
  const float best = Separability(values, above(OtsuThreshold(values, 4096)));
  for (const float value : values)
    EXPECT_LE(Separability(values, above(value)), best + 0.01F);  // bins are coarse
}

}  // namespace
}  // namespace objectdino
