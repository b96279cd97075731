// SPDX-License-Identifier: Apache-2.0
#include "core/objects/regions.h"

#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/reference/regions_reference.h"

namespace objectdino {
namespace {

using ::testing::IsEmpty;
using Mask = std::vector<uint8_t>;

constexpr ImageSize kImage = {.height = 300, .width = 500};

struct Picture {
  Mask mask;
  PatchGrid grid;
  std::vector<float> weights;  // 1 each
};

// '#' is inside.
Picture Draw(const std::vector<std::string>& rows) {
  Picture picture;
  picture.grid = {static_cast<int>(rows.size()), static_cast<int>(rows[0].size()), 14};
  for (const std::string& row : rows) {
    for (const char patch : row) picture.mask.push_back(patch == '#' ? 1 : 0);
  }
  picture.weights.assign(picture.mask.size(), 1);
  return picture;
}

Picture RandomPicture(unsigned seed) {
  std::mt19937 engine(seed);
  Picture picture;
  picture.grid = {1 + static_cast<int>(engine() % 20), 1 + static_cast<int>(engine() % 20), 14};
  std::bernoulli_distribution inside(0.2 + 0.15 * (seed % 5));
  std::uniform_real_distribution<float> weight;
  for (int i = 0; i < picture.grid.size(); ++i) {
    picture.mask.push_back(inside(engine) ? 1 : 0);
    picture.weights.push_back(weight(engine));
  }
  return picture;
}

TEST(ConnectedRegions, RandomMasks_EqualFloodFill) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Picture p = RandomPicture(seed);
    const auto expected = reference::Components(p.mask, p.grid);
    const auto regions = ConnectedRegions(p.mask, p.weights, p.grid);
    ASSERT_EQ(regions.size(), expected.size()) << "seed " << seed;
    for (size_t i = 0; i < regions.size(); ++i) {
      EXPECT_EQ(regions[i].mask, expected[i]) << "seed " << seed << ", region " << i;
      int patches = 0;
      double weight = 0;
      for (size_t j = 0; j < expected[i].size(); ++j) {
        patches += expected[i][j];
        weight += expected[i][j] * p.weights[j];
      }
      EXPECT_EQ(regions[i].patches, patches);
      EXPECT_DOUBLE_EQ(regions[i].weight, weight);
    }
  }
}

TEST(ConnectedRegions, DiagonalNeighbours_AreApart) {
  const Picture p = Draw({"#.", ".#"});
  EXPECT_EQ(ConnectedRegions(p.mask, p.weights, p.grid).size(), 2U);
}

TEST(ConnectedRegions, Order_IsRasterOrderOfTheFirstPatch) {
  // The right arm comes first in raster order although the left region is joined to it late.
  const Picture p = Draw({"..#.#",  //
                          "#.#.#",  //
                          "###.."});
  const auto regions = ConnectedRegions(p.mask, p.weights, p.grid);
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].patches, 6);
  EXPECT_EQ(regions[1].patches, 2);
}

TEST(ConnectedRegions, EmptyMask_HasNone) {
  const Picture p = Draw({"...", "..."});
  EXPECT_THAT(ConnectedRegions(p.mask, p.weights, p.grid), IsEmpty());
}

TEST(ConnectedRegions, AnyNonZeroValue_IsInside) {
  const auto regions =
      ConnectedRegions(Mask{2, 255}, std::vector<float>{1, 2}, {.rows = 1, .cols = 2});
  ASSERT_EQ(regions.size(), 1U);
  EXPECT_EQ(regions[0].mask, (Mask{1, 1}));
}

TEST(RegionAt, EverySeed_FindsItsComponent) {
  const Picture p = RandomPicture(8);
  for (const Region& region : ConnectedRegions(p.mask, p.weights, p.grid)) {
    for (int seed = 0; seed < p.grid.size(); ++seed) {
      if (region.mask[seed] == 0) continue;
      const Region found = RegionAt(p.mask, seed, p.weights, p.grid);
      EXPECT_EQ(found.mask, region.mask);
      EXPECT_EQ(found.patches, region.patches);
      EXPECT_EQ(found.weight, region.weight);
    }
  }
}

TEST(RegionBox, Region_IsScaledAxisByAxis) {
  const Picture p = Draw({".....",  //
                          "..##.",  //
                          "...#."});
  EXPECT_EQ(RegionBox(p.mask, p.grid, kImage), (Box{200, 100, 400, 300}));
}

TEST(RegionBox, WholeGrid_IsTheWholeImage) {
  const Picture p = Draw({"#..", "...", "..#"});
  EXPECT_EQ(RegionBox(p.mask, p.grid, {.height = 77, .width = 101}), (Box{0, 0, 101, 77}));
}

TEST(RegionAnchor, RandomMasks_AreADeepestPatchOfLargestWeight) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    Picture p = RandomPicture(seed);
    p.mask[0] = 1;
    int expected = -1;
    for (int patch = 0; patch < p.grid.size(); ++patch) {
      if (p.mask[patch] == 0) continue;
      const auto rank = [&](int i) {
        return std::pair(reference::Depth(p.mask, i, p.grid), p.weights[i]);
      };
      if (expected < 0 || rank(patch) > rank(expected)) expected = patch;
    }
    const int row = expected / p.grid.cols;
    const Point anchor = RegionAnchor(p.mask, p.weights, p.grid,
                                      {.height = p.grid.rows * 10, .width = p.grid.cols * 10});
    EXPECT_EQ(anchor.x, static_cast<float>(5 + 10 * (expected % p.grid.cols))) << "seed " << seed;
    EXPECT_EQ(anchor.y, static_cast<float>(5 + 10 * row)) << "seed " << seed;
  }
}

TEST(RegionAnchor, Ring_LiesOnTheRingAndNotInItsHole) {
  const Picture p = Draw({"#####",  //
                          "#...#",  //
                          "#####"});
  const Point anchor = RegionAnchor(p.mask, p.weights, p.grid, kImage);
  EXPECT_EQ(anchor.x, 50);  // the first patch: all are equally deep
  EXPECT_EQ(anchor.y, 50);
}

TEST(RegionAnchor, BorderOfTheGrid_CountsAsOutside) {
  const Picture p = Draw({"###",  //
                          "###",  //
                          "###"});
  const Point anchor = RegionAnchor(p.mask, p.weights, p.grid, {.height = 30, .width = 30});
  EXPECT_EQ(anchor.x, 15);
  EXPECT_EQ(anchor.y, 15);
}

TEST(RegionAnchor, EqualDepth_TakesTheLargerWeight) {
  Picture p = Draw({"####"});
  p.weights[2] = 2;
  EXPECT_EQ(RegionAnchor(p.mask, p.weights, p.grid, {.height = 1, .width = 4}).x, 2.5F);
}

}  // namespace
}  // namespace objectdino
