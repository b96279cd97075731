// SPDX-License-Identifier: Apache-2.0
#include "core/objects/lost.h"

#include <algorithm>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/reference/lost_reference.h"

namespace objectdino {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// Products of random points around `offset` on every axis; the larger, the fewer are negative.
std::vector<float> RandomProducts(int patches, int dims, float offset, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(offset);
  std::vector<float> points(static_cast<size_t>(patches) * dims);
  for (float& value : points) value = normal(generator);
  std::vector<float> products;
  for (int i = 0; i < patches; ++i) {
    for (int j = 0; j < patches; ++j) {
      float sum = 0;
      for (int d = 0; d < dims; ++d) sum += points[i * dims + d] * points[j * dims + d];
      products.push_back(sum);
    }
  }
  return products;
}

TEST(ExpandSeed, RandomProducts_EqualTheNaiveTwin) {
  int partial = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const int patches = 5 + static_cast<int>(seed * 7 % 150);
    const int candidates = seed % 3 == 0 ? kLostCandidates : 1 + static_cast<int>(seed % 20);
    const std::vector<float> products =
        RandomProducts(patches, 4, 0.25F * static_cast<float>(seed % 4), seed);
    const SeedExpansion fast = ExpandSeed(products, patches, candidates);
    const reference::Expansion slow = reference::ExpandSeed(products, patches, candidates);
    ASSERT_EQ(fast.seed, slow.seed) << "seed " << seed;
    ASSERT_EQ(fast.mask, slow.mask) << "seed " << seed;
    for (int j = 0; j < patches; ++j)
      ASSERT_NEAR(fast.similarity[j], slow.similarity[j], 1e-3) << "seed " << seed;
    const auto inside = std::count(fast.mask.begin(), fast.mask.end(), 1);
    partial += inside > 1 && inside < patches ? 1 : 0;
  }
  EXPECT_GT(partial, 30) << "too few problems with something to tell apart";
}

TEST(ExpandSeed, TwoOpposedGroups_SmallerOneIsTheObject) {
  std::vector<float> products;
  const std::vector<int> side = {1, -1, 1, 1, -1};
  for (const int a : side) {
    for (const int b : side) products.push_back(static_cast<float>(a * b));
  }
  const SeedExpansion expansion = ExpandSeed(products, 5);
  EXPECT_EQ(expansion.seed, 1);
  EXPECT_THAT(expansion.mask, ElementsAre(0, 1, 0, 0, 1));
  EXPECT_THAT(expansion.similarity, ElementsAre(-2, 2, -2, -2, 2));
}

TEST(ExpandSeed, AllAlike_FirstPatchIsTheSeedAndEveryPatchTheObject) {
  const SeedExpansion expansion = ExpandSeed(std::vector<float>(16, 0.5F), 4);
  EXPECT_EQ(expansion.seed, 0);
  EXPECT_THAT(expansion.mask, Each(1));
}

TEST(ExpandSeed, Candidates_BoundWhatExpands) {
  // Patch 1 is like the seed 0 but is the last of the candidates; with it, patch 2 comes in.
  const std::vector<float> products = {1,  1,    -1,  // degree 2
                                       1,  1,    2,   // degree 3
                                       -1, 0.5F, 1};  // degree 2
  EXPECT_THAT(ExpandSeed(products, 3, 2).mask, ElementsAre(1, 1, 0));
  EXPECT_THAT(ExpandSeed(products, 3, 3).mask, ElementsAre(1, 1, 1));
}

TEST(ExpandSeed, NothingPositive_LeavesTheSeedAlone) {
  const SeedExpansion expansion = ExpandSeed(std::vector<float>(9, 0.0F), 3);
  EXPECT_EQ(expansion.seed, 0);
  EXPECT_THAT(expansion.mask, ElementsAre(1, 0, 0));
}

}  // namespace
}  // namespace objectdino
