// SPDX-License-Identifier: Apache-2.0
#include "core/heads/affinity.h"

#include "ATen/ATen.h"
#include "gtest/gtest.h"

#include "core/heads/similarity.h"
#include "tests/reference/similarity_reference.h"
#include "tests/support/random_taps.h"

namespace objectdino {
namespace {

TEST(HeadAffinity, EqualsTheCosineOfTheFeatureRows) {
  constexpr int kPrefix = 1, kPatches = 24;
  const auto taps = testing::RandomTaps(3, kPrefix + kPatches, 2, 8, 11);
  const std::vector<HeadRef> heads = {{0, 0}, {1, 1}, {2, 0}, {2, 1}};
  std::vector<at::Tensor> unit;
  for (const LayerTap& tap : taps) unit.push_back(UnitPatches(tap, kPrefix));
  std::vector<reference::Matrix> maps;
  for (const HeadRef& ref : heads) {
    maps.push_back(reference::MeanCosineMap(taps[ref.layer].qkv[0], kPrefix, ref.head));
  }
  const std::vector<float> fast = HeadAffinity(unit, heads);
  const reference::Matrix slow = reference::Affinity(maps);
  for (int i = 0; i < kPatches; ++i) {
    for (int j = 0; j < kPatches; ++j)
      ASSERT_NEAR(fast[i * kPatches + j], slow[i][j], 2e-5) << i << " " << j;
  }
}

}  // namespace
}  // namespace objectdino
