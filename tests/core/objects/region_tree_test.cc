// SPDX-License-Identifier: Apache-2.0
#include "core/objects/region_tree.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/reference/region_tree_reference.h"

namespace objectdino {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<float> RandomVectors(int patches, int width, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> vectors(static_cast<size_t>(patches) * width);
  for (float& value : vectors) value = normal(engine);
  return vectors;
}

std::vector<uint8_t> MaskOf(const std::vector<int>& patches, int size) {
  std::vector<uint8_t> mask(size, 0);
  for (const int patch : patches) mask[patch] = 1;
  return mask;
}

TEST(TreeRegions, RandomVectors_EqualTryingEveryPair) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const PatchGrid grid{2 + static_cast<int>(seed % 5), 1 + static_cast<int>(seed % 7), 14};
    const auto vectors = RandomVectors(grid.size(), 5, seed);
    const std::vector<float> weights(grid.size(), 2);
    const auto expected = reference::MergeTree(vectors, 5, grid);
    const auto regions = TreeRegions(vectors, 5, weights, grid, 1, grid.size());
    ASSERT_THAT(regions, SizeIs(expected.size())) << "seed " << seed;
    for (size_t i = 0; i < regions.size(); ++i) {
      EXPECT_EQ(regions[i].mask, MaskOf(expected[i], grid.size())) << "seed " << seed << ", " << i;
      EXPECT_EQ(regions[i].patches, static_cast<int>(expected[i].size()));
      EXPECT_DOUBLE_EQ(regions[i].weight, 2.0 * regions[i].patches);
    }
  }
}

TEST(TreeRegions, AlikePatchesAreANodeOfTheTree) {
  // A 2 x 2 object of one direction on a 4 x 5 ground of another.
  const PatchGrid grid{4, 5, 14};
  std::vector<uint8_t> object(grid.size(), 0);
  for (const int patch : {6, 7, 11, 12}) object[patch] = 1;
  std::vector<float> vectors;
  for (const uint8_t inside : object) {
    vectors.push_back(inside != 0 ? 1.0f : 0.0f);
    vectors.push_back(inside != 0 ? 0.0f : 1.0f);
  }
  const std::vector<float> weights(grid.size(), 1);
  const auto regions = TreeRegions(vectors, 2, weights, grid, 2, grid.size());
  EXPECT_THAT(regions, Contains(::testing::Field(&Region::mask, object)));
  EXPECT_EQ(regions.back().patches, grid.size());
}

TEST(TreeRegions, SizesAreBounded) {
  const PatchGrid grid{6, 6, 14};
  const auto vectors = RandomVectors(grid.size(), 3, 1);
  const std::vector<float> weights(grid.size(), 1);
  const auto regions = TreeRegions(vectors, 3, weights, grid, 4, 9);
  EXPECT_FALSE(regions.empty());
  for (const Region& region : regions) {
    EXPECT_GE(region.patches, 4);
    EXPECT_LE(region.patches, 9);
  }
}

TEST(TreeRegions, OnePatch_HasNoRegion) {
  EXPECT_THAT(TreeRegions({1.0f, 0.0f}, 2, {1.0f}, {1, 1, 14}, 1, 1), IsEmpty());
}

}  // namespace
}  // namespace objectdino
