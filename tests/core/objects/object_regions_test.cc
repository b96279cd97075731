// SPDX-License-Identifier: Apache-2.0
#include "core/objects/object_regions.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::SizeIs;

using Map = std::vector<float>;

TEST(ObjectRegions, StableRegion_StaysWhole) {
  const PatchGrid grid{4, 6, 14};
  const Map map = {0, 0,  0,  0,  0, 0,  //
                   0, .8, .9, .8, 0, 0,  //
                   0, .8, 1,  .9, 0, 0,  //
                   0, 0,  0,  0,  0, 0};
  const auto regions = ObjectRegions(map, grid, 1);
  ASSERT_THAT(regions, SizeIs(1));
  EXPECT_EQ(regions[0].patches, 6);
}

// Two peaks joined by a bridge that Otsu's threshold keeps and that of the squares does not.
TEST(ObjectRegions, JoinedRegion_FallsApartIntoItsCores) {
  const PatchGrid grid{7, 12, 14};
  Map map(grid.size(), 0.0f);
  for (int row = 1; row <= 3; ++row) {
    for (int col = 1; col <= 10; ++col) map[row * grid.cols + col] = 0.5f;
    for (int col = 1; col <= 3; ++col) map[row * grid.cols + col] = 1.0f;
    for (int col = 8; col <= 10; ++col) map[row * grid.cols + col] = 0.9f;
  }
  const auto regions = ObjectRegions(map, grid, 1);
  ASSERT_THAT(regions, SizeIs(2));
  EXPECT_EQ(RegionBox(regions[0].mask, grid, {7, 12}), (Box{1, 1, 4, 4}));
  EXPECT_EQ(RegionBox(regions[1].mask, grid, {7, 12}), (Box{8, 1, 11, 4}));
}

TEST(ObjectRegions, SmallRegionsAreLeftOut_NeverTheHeaviest) {
  const PatchGrid grid{3, 7, 14};
  const Map map = {0, 0, 0, 0, 0, 0, 0,  //
                   0, 1, 1, 0, 1, 0, 0,  //
                   0, 0, 0, 0, 0, 0, 0};
  EXPECT_THAT(ObjectRegions(map, grid, 1), SizeIs(2));
  EXPECT_THAT(ObjectRegions(map, grid, 2), SizeIs(1));
  ASSERT_THAT(ObjectRegions(map, grid, 9), SizeIs(1));
  EXPECT_EQ(ObjectRegions(map, grid, 9)[0].patches, 2);
}

TEST(ObjectRegions, RandomMaps_AreDisjointHeaviestFirst) {
  const PatchGrid grid{16, 16, 14};
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> uniform;
    Map map;
    for (int i = 0; i < grid.size(); ++i) map.push_back(uniform(engine) * uniform(engine));
    std::vector<int> owners(grid.size(), 0);
    double previous = 1e9;
    for (const Region& region : ObjectRegions(map, grid, 3)) {
      EXPECT_LE(region.weight, previous);
      previous = region.weight;
      for (int i = 0; i < grid.size(); ++i) owners[i] += region.mask[i];
    }
    EXPECT_THAT(owners, ::testing::Each(::testing::Le(1))) << "seed " << seed;
  }
}

TEST(ObjectRegions, ConstantMap_IsOneRegion) {
  const auto regions = ObjectRegions(Map(12, 0.0f), {3, 4, 14}, 1);
  ASSERT_THAT(regions, SizeIs(1));
  EXPECT_EQ(regions[0].patches, 12);
}

}  // namespace
}  // namespace objectdino
