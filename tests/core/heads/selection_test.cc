// SPDX-License-Identifier: Apache-2.0
#include "core/heads/selection.h"

#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;

// One descriptor a head, well apart between groups: group g sits at 10 g in every column, plus
// small noise.
std::vector<float> Grouped(const std::vector<int>& group_of_head, int columns, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> noise(0, 0.1f);
  std::vector<float> data;
  for (const int group : group_of_head) {
    for (int col = 0; col < columns; ++col) {
      data.push_back(10.0f * static_cast<float>(group) * (col % 2 == 0 ? 1.0f : -1.0f) +
                     noise(generator));
    }
  }
  return data;
}

TEST(StandardizeColumns, ZeroMeanUnitDeviation) {
  const std::vector<float> scaled = StandardizeColumns({1, 10, 2, 10, 6, 10}, 3, 2);
  EXPECT_NEAR(scaled[0] + scaled[2] + scaled[4], 0, 1e-6);
  EXPECT_NEAR(scaled[0] * scaled[0] + scaled[2] * scaled[2] + scaled[4] * scaled[4], 3, 1e-5);
  EXPECT_EQ(scaled[1], 0) << "a constant column is only centred";
}

TEST(SelectObjectHeads, TakesTheClusterThatTheLastLayerVotesFor) {
  // Layers of 3 heads; the last layer votes 2 : 1 for group 1.
  auto selected = SelectObjectHeads(Grouped({0, 0, 1, 0, 2, 1, 1, 2, 1}, 6), 3, 3, 6, 3, 42);
  ASSERT_TRUE(selected.ok()) << selected.status();
  EXPECT_THAT(selected->object_heads,
              ElementsAre(HeadRef{0, 2}, HeadRef{1, 2}, HeadRef{2, 0}, HeadRef{2, 2}));
}

TEST(SelectObjectHeads, TieGoesToTheFirstAppearanceWhateverTheNumbering) {
  // The last layer votes 1 : 1; group 2 appears before group 1.
  for (const uint32_t seed : {0u, 1u, 7u, 42u, 99u}) {
    auto selected = SelectObjectHeads(Grouped({0, 2, 1, 0, 1, 2}, 6), 3, 2, 6, 3, seed);
    ASSERT_TRUE(selected.ok()) << selected.status();
    EXPECT_THAT(selected->object_heads, ElementsAre(HeadRef{0, 1}, HeadRef{2, 1}))
        << "seed " << seed;
  }
}

TEST(StableLabels, ObjectClusterIsZeroTheRestByFirstAppearance) {
  const HeadClusters clusters = {{4, 4, 2, 0, 4, 2, 2, 3, 2}, {{0, 2}, {1, 2}, {2, 0}, {2, 2}}};
  EXPECT_THAT(StableLabels(clusters, 3), ElementsAre(1, 1, 0, 2, 1, 0, 0, 3, 0));
}

TEST(StableLabels, DoNotDependOnTheNumberingOfKMeans) {
  for (const uint32_t seed : {0u, 1u, 7u, 42u, 99u}) {
    auto selected = SelectObjectHeads(Grouped({0, 0, 1, 0, 2, 1, 1, 2, 1}, 6), 3, 3, 6, 3, seed);
    ASSERT_TRUE(selected.ok()) << selected.status();
    EXPECT_THAT(StableLabels(*selected, 3), ElementsAre(1, 1, 0, 1, 2, 0, 0, 2, 0))
        << "seed " << seed;
  }
}

TEST(SelectObjectHeads, NonFiniteDescriptorIsRefused) {
  std::vector<float> data = Grouped({0, 1, 0, 1}, 4);
  data[3] = std::nanf("");
  EXPECT_EQ(SelectObjectHeads(data, 2, 2, 4, 2, 42).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PresetHeads, AreThoseOfTheLastTwoLayers) {
  EXPECT_THAT(PresetHeads(4, 2),
              ElementsAre(HeadRef{2, 0}, HeadRef{2, 1}, HeadRef{3, 0}, HeadRef{3, 1}));
  EXPECT_THAT(PresetHeads(1, 1), ElementsAre(HeadRef{0, 0}));
}

}  // namespace
}  // namespace objectdino
