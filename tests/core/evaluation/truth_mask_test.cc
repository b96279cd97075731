// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/truth_mask.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/random_state.h"
#include "core/math/rle.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

std::vector<uint8_t> Fill(std::vector<Polygon> polygons, ImageSize image) {
  TruthMask mask;
  mask.polygons = std::move(polygons);
  return *RasterizeMask(mask, image);
}

TEST(RasterizeMask, PixelsWhoseCentreIsInside) {
  EXPECT_THAT(Fill({{{1, 0}, {3.4F, 0}, {3.4F, 1}, {1, 1}}}, {2, 5}),
              ElementsAreArray({0, 1, 1, 0, 0,  //
                                0, 0, 0, 0, 0}));
}

TEST(RasterizeMask, SeveralPolygons_AreUnited) {
  const Polygon left = {{0, 0}, {2, 0}, {2, 1}, {0, 1}};
  const Polygon right = {{1, 0}, {3, 0}, {3, 1}, {1, 1}};
  EXPECT_THAT(Fill({left, right}, {1, 4}), ElementsAre(1, 1, 1, 0));
}

TEST(RasterizeMask, PolygonsOffTheImage_AreCutOff) {
  EXPECT_THAT(Fill({{{-5, -5}, {50, -5}, {50, 50}, {-5, 50}}}, {2, 2}), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(Fill({{{10, 10}, {20, 10}, {20, 20}}, {}}, {1, 2}), ElementsAre(0, 0));
}

// The even-odd rule for one point.
bool IsInside(const Polygon& polygon, double x, double y) {
  bool inside = false;
  for (size_t i = 0; i < polygon.size(); ++i) {
    const Vertex& a = polygon[i];
    const Vertex& b = polygon[(i + 1) % polygon.size()];
    if ((a.y <= y) == (b.y <= y)) continue;
    if (x >= a.x + (y - a.y) * (double{b.x} - a.x) / (double{b.y} - a.y)) inside = !inside;
  }
  return inside;
}

TEST(RasterizeMask, EqualsTheRuleForEveryPixel_OnRandomPolygons) {
  RandomState random(5);
  for (int trial = 0; trial < 100; ++trial) {
    Polygon polygon(3 + static_cast<size_t>(random.NextDouble() * 10));
    for (Vertex& vertex : polygon) {
      vertex = {static_cast<float>(random.NextDouble() * 24 - 2),
                static_cast<float>(random.NextDouble() * 19 - 2)};
    }
    const auto mask = Fill({polygon}, {15, 20});
    for (int y = 0; y < 15; ++y) {
      for (int x = 0; x < 20; ++x) {
        EXPECT_EQ(mask[y * 20 + x], IsInside(polygon, x + 0.5, y + 0.5)) << trial;
      }
    }
  }
}

TEST(RasterizeMask, RunsGoDownTheColumns) {
  TruthMask mask;
  mask.runs = {1, 3, 2};                                                // 2 x 3 pixels
  EXPECT_THAT(*RasterizeMask(mask, {2, 3}), ElementsAreArray({0, 1, 0,  //
                                                              1, 1, 0}));
}

TEST(RasterizeMask, CompressedRuns_AreCocos) {
  const std::vector<uint8_t> pixels = {0, 1, 0, 1, 1, 0};
  TruthMask mask;
  mask.rle = EncodeCocoRle(pixels, 2, 3);
  EXPECT_THAT(*RasterizeMask(mask, {2, 3}), ElementsAreArray(pixels));
  EXPECT_THAT(RasterizeMask(mask, {2, 4}),
              StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
}

TEST(RasterizeMask, RunsThatDoNotFit_AreInvalid) {
  TruthMask mask;
  mask.runs = {1, 3};
  EXPECT_THAT(RasterizeMask(mask, {2, 3}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("do not fill")));
  mask.runs = {1, 9};
  EXPECT_THAT(RasterizeMask(mask, {2, 3}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("leave")));
}

TEST(MaskIou, IntersectionOverUnion) {
  EXPECT_DOUBLE_EQ(MaskIou({1, 1, 0, 0}, {0, 1, 1, 0}), 1.0 / 3);
  EXPECT_EQ(MaskIou({1, 0}, {1, 0}), 1);
  EXPECT_EQ(MaskIou({0, 0}, {0, 0}), 0);
}

}  // namespace
}  // namespace objectdino
