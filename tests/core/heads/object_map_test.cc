// SPDX-License-Identifier: Apache-2.0
#include "core/heads/object_map.h"

#include <vector>

#include "ATen/ATen.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/heads/cls_attention.h"
#include "tests/reference/similarity_reference.h"
#include "tests/support/random_taps.h"

namespace objectdino {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;

constexpr PatchGrid kGrid{5, 7, 14};
constexpr int kPrefix = 3, kHeads = 2, kDim = 6;

TEST(AnchoredEvidence, EqualsTheQuadraticForm) {
  const auto taps = testing::RandomTaps(3, kPrefix + kGrid.size(), kHeads, kDim, 2);
  const std::vector<HeadRef> heads = {{0, 1}, {2, 0}, {2, 1}};
  std::vector<reference::Matrix> maps;
  for (const HeadRef& ref : heads) {
    maps.push_back(reference::MeanCosineMap(taps[ref.layer].qkv[0], kPrefix, ref.head));
  }
  const std::vector<float> attention = ClsAttention(taps, kPrefix);
  const auto slow = reference::AnchoredEvidence(maps, attention, kGrid);
  const auto fast = AnchoredEvidence(testing::VectorsOf(taps, kPrefix), heads, attention, kGrid);
  ASSERT_EQ(fast.size(), slow.size());
  for (size_t j = 0; j < slow.size(); ++j) EXPECT_NEAR(fast[j], slow[j], 2e-5);
}

TEST(PublishedObjectness, InvertsTheMeanDescriptor) {
  const std::vector<float> descriptors = {0, 0, 0,   // (0, 0), not selected
                                          1, 2, 3,   // (0, 1)
                                          3, 2, 7};  // (1, 0)
  EXPECT_THAT(PublishedObjectness(descriptors, 2, 3, std::vector<HeadRef>{{0, 1}, {1, 0}}),
              ElementsAre(FloatNear(1, 1e-5), FloatNear(1, 1e-5), FloatNear(0, 1e-5)));
}

TEST(PublishedObjectness, ConstantMapIsFinite) {
  EXPECT_THAT(PublishedObjectness(std::vector<float>{4, 4, 4}, 1, 3, std::vector<HeadRef>{{0, 0}}),
              Each(1.0f));
}

TEST(MinMaxScale, SpansZeroToOneAndConstantIsZero) {
  EXPECT_THAT(MinMaxScale(std::vector<float>{-1, 0, 3}), ElementsAre(0.0f, 0.25f, 1.0f));
  EXPECT_THAT(MinMaxScale(std::vector<float>{2, 2}), Each(0.0f));
}

TEST(MirrorMean, TurnsBackAveragesAndScales) {
  const PatchGrid grid{2, 3, 14};
  const std::vector<float> map = {0, 0, 1, 0, 0, 0};
  const std::vector<float> mirrored = {1, 0, 0, 0, 0, 0.5f};  // turned back: 0 0 1, 0.5 0 0
  EXPECT_EQ(MirrorMean(map, mirrored, grid), (std::vector<float>{0, 0, 1, 0.25f, 0, 0}));
}

}  // namespace
}  // namespace objectdino
