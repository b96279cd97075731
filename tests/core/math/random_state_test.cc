// SPDX-License-Identifier: Apache-2.0
#include "core/math/random_state.h"

#include "gtest/gtest.h"

namespace objectdino {
namespace {

// numpy.random.RandomState(seed).random_sample(); the golden file of k-means has twenty more.
TEST(RandomState, Seed42_StartsAsNumpy) {
  RandomState random(42);
  EXPECT_EQ(random.NextDouble(), 0.3745401188473625);
  EXPECT_EQ(random.NextDouble(), 0.9507143064099162);
  EXPECT_EQ(random.NextDouble(), 0.7319939418114051);
}

TEST(RandomState, SeedAboveInt31_StartsAsNumpy) {
  RandomState random(4294967295U);
  EXPECT_EQ(random.NextDouble(), 0.0976320289940138);
}

TEST(RandomState, ManyDraws_StayInHalfOpenUnitInterval) {
  RandomState random(7);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double value = random.NextDouble();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

}  // namespace
}  // namespace objectdino
