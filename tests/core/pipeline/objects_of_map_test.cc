// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/objects_of_map.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/objects/object_regions.h"
#include "core/objects/object_score.h"

namespace objectdino {
namespace {

using ::testing::SizeIs;

constexpr PatchGrid kGrid{4, 6, 14};
constexpr ImageSize kImage{80, 120};

// Two bright blobs: a 2 x 2 at the left, a single patch at the right.
const std::vector<float> kMap = {0, 0, 0, 0, 0, 0,  //
                                 0, 1, 1, 0, 0, 0,  //
                                 0, 1, 1, 0, 1, 0,  //
                                 0, 0, 0, 0, 0, 0};

std::vector<GroundedObject> Objects(const GroundOptions& options) {
  const std::vector<float> tokens(static_cast<size_t>(kGrid.size()) * 2, std::sqrt(0.5f));
  const PatchVectors vectors{tokens, 2};
  return ObjectsOfRegions(RegionsAboveOtsu(kMap, kMap, kGrid), kMap, vectors, vectors, kGrid,
                          kImage, options);
}

TEST(ObjectsOfRegions, LargestFirstWithBoxesInPixels) {
  const auto objects = Objects({});
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_EQ(objects[0].box, (Box{20, 20, 60, 60}));
  EXPECT_EQ(objects[1].box, (Box{80, 40, 100, 60}));
  EXPECT_EQ(objects[0].patches, 4);
}

TEST(ObjectsOfRegions, ScoresAreThoseOfObjectScore) {
  for (const GroundedObject& object : Objects({})) {
    EXPECT_EQ(object.score, ObjectScore(kMap, object.mask, kGrid, RegionKind::kObject));
  }
}

TEST(ObjectsOfRegions, OfAMethodWithoutHeads_ScoresAreSeparabilityTimesShare) {
  GroundOptions options;
  options.method = Method::kClsAttention;
  const auto objects = Objects(options);  // the map is two-valued: separability 1
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_NEAR(objects[0].score, 0.8, 1e-6);
  EXPECT_NEAR(objects[1].score, 0.2, 1e-6);
}

TEST(ObjectsOfRegions, ProposalsJoin_ScoredLower_WithoutRepeats) {
  std::vector<float> tokens;
  for (int patch = 0; patch < kGrid.size(); ++patch) {
    const bool bright = kMap[patch] > 0;
    tokens.push_back(bright ? 1.0f : 0.0f);
    tokens.push_back(bright ? 0.0f : 1.0f);
  }
  const PatchVectors vectors{tokens, 2};
  GroundOptions options;
  options.proposals = true;
  const auto objects = ObjectsOfRegions(RegionsAboveOtsu(kMap, kMap, kGrid), kMap, vectors, vectors,
                                        kGrid, kImage, options);
  EXPECT_GT(objects.size(), 2u);
  for (size_t i = 1; i < objects.size(); ++i) {
    EXPECT_LE(objects[i].score, objects[i - 1].score);
    for (size_t j = 0; j < i; ++j) EXPECT_LE(BoxIou(objects[i].box, objects[j].box), 0.5);
  }
}

TEST(MinPatches, IsOnePercent_LessOnFineGrids_OrWhatIsAskedFor) {
  EXPECT_EQ(MinPatches({}, {16, 16, 14}), 3);
  EXPECT_EQ(MinPatches({}, {32, 32, 14}), 5);
  EXPECT_EQ(MinPatches({}, {1, 1, 14}), 1);
  GroundOptions options;
  options.min_patches = 7;
  EXPECT_EQ(MinPatches(options, {32, 32, 14}), 7);
}

TEST(ObjectsOfRegions, AnchorLiesInsideTheMask) {
  for (const GroundedObject& object : Objects({})) {
    const int row = static_cast<int>(object.anchor.y * kGrid.rows / kImage.height);
    const int col = static_cast<int>(object.anchor.x * kGrid.cols / kImage.width);
    EXPECT_EQ(object.mask[row * kGrid.cols + col], 1);
  }
}

TEST(ObjectsOfRegions, EmbeddingsHaveUnitLength) {
  for (const GroundedObject& object : Objects({})) {
    ASSERT_THAT(object.embedding, SizeIs(2));
    EXPECT_NEAR(std::hypot(object.embedding[0], object.embedding[1]), 1, 1e-6);
  }
}

TEST(ObjectsOfRegions, LimitsApply) {
  GroundOptions options;
  options.max_objects = 1;
  EXPECT_THAT(Objects(options), SizeIs(1));
  options = {};
  options.min_score = 0.7;
  EXPECT_THAT(Objects(options), SizeIs(1));
  options.min_score = 0.9;
  EXPECT_THAT(Objects(options), SizeIs(0));
  options = {};
  options.min_patches = 2;
  EXPECT_THAT(Objects(options), SizeIs(1));
  options.min_patches = 5;
  EXPECT_THAT(Objects(options), SizeIs(1)) << "the first is never too small";
}

}  // namespace
}  // namespace objectdino
