// SPDX-License-Identifier: Apache-2.0
#include "core/objects/object_embedding.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

const std::vector<float> kTokens = {3, 4, 0, 2, -8, 6};  // [3, 2]

TEST(PoolObjectEmbedding, OnePatch_IsItsDirection) {
  EXPECT_THAT(PoolObjectEmbedding(kTokens, 2, std::vector<uint8_t>{1, 0, 0}),
              ElementsAre(0.6F, 0.8F));
}

TEST(PoolObjectEmbedding, TwoPatches_CountAlikeWhateverTheirLength) {
  const float norm = std::sqrt(0.6F * 0.6F + 1.8F * 1.8F);
  EXPECT_THAT(PoolObjectEmbedding(kTokens, 2, std::vector<uint8_t>{1, 9, 0}),
              ElementsAre(FloatNear(0.6F / norm, 1e-6F), FloatNear(1.8F / norm, 1e-6F)));
}

TEST(PoolObjectEmbedding, EmptyMask_IsZero) {
  EXPECT_THAT(PoolObjectEmbedding(kTokens, 2, std::vector<uint8_t>{0, 0, 0}), ElementsAre(0, 0));
}

TEST(PoolObjectEmbedding, ZeroToken_IsZeroAndNotNan) {
  EXPECT_THAT(PoolObjectEmbedding(std::vector<float>{0, 0}, 2, std::vector<uint8_t>{1}),
              ElementsAre(0, 0));
}

}  // namespace
}  // namespace objectdino
