// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/moved_boxes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/evaluation/corloc.h"

namespace objectdino {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::vector<Box> kTruth = {{10, 10, 40, 30}, {60, 50, 80, 90}};
constexpr ImageSize kImage{100, 120};

TEST(MovedBoxes, LegalPlacesOfTheSameSize) {
  const auto moved = MovedBoxes(kTruth, kImage, "a.jpg");
  ASSERT_THAT(moved, SizeIs(2));
  for (size_t i = 0; i < kTruth.size(); ++i) {
    EXPECT_THAT(moved[i], SizeIs(5));
    for (const Box& box : moved[i]) {
      EXPECT_NEAR(box.x2 - box.x1, kTruth[i].x2 - kTruth[i].x1, 1e-4);
      EXPECT_NEAR(box.y2 - box.y1, kTruth[i].y2 - kTruth[i].y1, 1e-4);
      EXPECT_GE(box.x1, 0);
      EXPECT_GE(box.y1, 0);
      EXPECT_LE(box.x2, kImage.width + 1e-4);
      EXPECT_LE(box.y2, kImage.height + 1e-4);
      EXPECT_LT(BestIou(box, kTruth), 0.1);
    }
  }
}

TEST(MovedBoxes, NoPlaceLeft_GivesNone) {
  EXPECT_THAT(MovedBoxes({{10, 10, 110, 90}}, kImage, "a.jpg").front(), IsEmpty());
  EXPECT_THAT(MovedBoxes({{-1, 0, 121, 100}}, kImage, "a.jpg").front(), IsEmpty())
      << "a box that is larger than the image";
}

TEST(MovedBoxes, SameNameSamePlaces_OtherNameOthers) {
  EXPECT_EQ(MovedBoxes(kTruth, kImage, "a.jpg"), MovedBoxes(kTruth, kImage, "a.jpg"));
  EXPECT_NE(MovedBoxes(kTruth, kImage, "a.jpg"), MovedBoxes(kTruth, kImage, "b.jpg"));
}

TEST(MovedBoxes, PlacesSpreadOverTheImage) {
  MovedBoxOptions options;
  options.per_box = 400;
  options.tries = 4000;
  double sum_x = 0;
  double sum_y = 0;
  // A true box in the very middle: the legal places lie evenly around it.
  const auto moved = MovedBoxes({{55, 45, 65, 55}}, kImage, "a.jpg", options).front();
  ASSERT_THAT(moved, SizeIs(400));
  for (const Box& box : moved) {
    sum_x += box.x1;
    sum_y += box.y1;
  }
  EXPECT_NEAR(sum_x / 400, 55, 6);  // standard error 1.6
  EXPECT_NEAR(sum_y / 400, 45, 6);
}

}  // namespace
}  // namespace objectdino
