// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/objects_of_map.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

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
  const std::vector<float> tokens(static_cast<size_t>(kGrid.size()) * 2, 1.0f);
  return ObjectsOfRegions(RegionsAboveOtsu(kMap, kGrid), kMap, tokens, 2, kGrid, kImage, options);
}

TEST(ObjectsOfRegions, LargestFirstWithBoxesInPixels) {
  const auto objects = Objects({});
  ASSERT_THAT(objects, SizeIs(2));
  EXPECT_EQ(objects[0].box, (Box{20, 20, 60, 60}));
  EXPECT_EQ(objects[1].box, (Box{80, 40, 100, 60}));
  EXPECT_EQ(objects[0].patches, 4);
}

TEST(ObjectsOfRegions, ScoresAreSeparabilityTimesShare) {
  const auto objects = Objects({});  // the map is two-valued: separability 1
  EXPECT_NEAR(objects[0].score, 0.8, 1e-6);
  EXPECT_NEAR(objects[1].score, 0.2, 1e-6);
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
  options.min_score = 0.5;
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
