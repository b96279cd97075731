// SPDX-License-Identifier: Apache-2.0
#include "core/heads/affinity.h"

#include <cmath>

#include "ATen/ATen.h"
#include "gtest/gtest.h"

#include "core/heads/similarity.h"
#include "tests/reference/similarity_reference.h"
#include "tests/support/random_taps.h"

namespace objectdino {
namespace {

constexpr int kPrefix = 1, kPatches = 24;

void ExpectCosineOfFeatureRows(const AttentionComponents& components) {
  const auto taps = testing::RandomTaps(3, kPrefix + kPatches, 2, 8, 11);
  const std::vector<HeadRef> heads = {{0, 0}, {1, 1}, {2, 0}, {2, 1}};
  std::vector<at::Tensor> unit;
  for (const LayerTap& tap : taps) unit.push_back(UnitPatches(tap, kPrefix, components));
  std::vector<reference::Matrix> maps;
  for (const HeadRef& ref : heads) {
    maps.push_back(
        reference::MeanCosineMap(taps[ref.layer].qkv[0], kPrefix, ref.head, components.indices()));
  }
  const std::vector<float> fast = HeadAffinity(unit, heads);
  const reference::Matrix slow = reference::Affinity(maps);
  for (int i = 0; i < kPatches; ++i) {
    for (int j = 0; j < kPatches; ++j)
      ASSERT_NEAR(fast[i * kPatches + j], slow[i][j], 2e-5) << i << " " << j;
  }
}

TEST(HeadAffinity, EqualsTheCosineOfTheFeatureRows) { ExpectCosineOfFeatureRows({}); }

TEST(HeadAffinity, OfSomeComponentsEqualsTheCosineOfTheirFeatureRows) {
  ExpectCosineOfFeatureRows({.query = false, .value = false});
  ExpectCosineOfFeatureRows({.key = false});
}

TEST(KeyAffinity, ProductsAndCosinesEqualTheNaiveOnes) {
  const LayerTap tap = testing::RandomTaps(1, kPrefix + kPatches, 3, 5, 12).front();
  const reference::Matrix slow = reference::KeyProducts(tap.qkv[0], kPrefix);
  const std::vector<float> products = KeyProducts(tap, kPrefix);
  const std::vector<float> cosines = KeyAffinity(tap, kPrefix);
  for (int i = 0; i < kPatches; ++i) {
    for (int j = 0; j < kPatches; ++j) {
      ASSERT_NEAR(products[i * kPatches + j], slow[i][j], 1e-4) << i << " " << j;
      ASSERT_NEAR(cosines[i * kPatches + j], slow[i][j] / std::sqrt(slow[i][i] * slow[j][j]), 1e-5);
    }
  }
}

TEST(KeyAffinity, ZeroKeyStaysFinite) {
  const LayerTap tap = testing::RandomTaps(1, kPrefix + kPatches, 2, 4, 13).front();
  tap.qkv[0][kPrefix + 2].zero_();
  EXPECT_EQ(KeyAffinity(tap, kPrefix)[2 * kPatches + 2], 0);
}

}  // namespace
}  // namespace objectdino
