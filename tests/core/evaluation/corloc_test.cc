// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/corloc.h"

#include "gtest/gtest.h"

namespace objectdino {
namespace {

TEST(CorLoc, CountsAtBothThresholds) {
  const CorLoc summary = SummarizeIous({0.5, 0.49, 0.7, 1.0});
  EXPECT_EQ(summary.n, 4);
  EXPECT_DOUBLE_EQ(summary.corloc, 75);
  EXPECT_DOUBLE_EQ(summary.iou70, 50);
  EXPECT_NEAR(summary.mean_iou, 0.6725, 1e-12);
  EXPECT_EQ(SummarizeIous({}).n, 0);
}

TEST(CorLoc, IouOfBoxes) {
  EXPECT_DOUBLE_EQ(BoxIou({0, 0, 2, 2}, {1, 0, 3, 2}), 1.0 / 3);
  EXPECT_EQ(BoxIou({0, 0, 1, 1}, {1, 0, 2, 1}), 0) << "half-open boxes that touch do not overlap";
}

TEST(CorLoc, BestIou_IsTheLargest) {
  EXPECT_DOUBLE_EQ(BestIou({0, 0, 2, 2}, {{5, 5, 6, 6}, {0, 0, 2, 1}, {1, 0, 3, 2}}), 0.5);
  EXPECT_EQ(BestIou({0, 0, 2, 2}, {}), 0);
}

TEST(CorLoc, TrivialBoxes_HeightAndWidthAreNotSwapped) {
  EXPECT_EQ(WholeBox({10, 20}), (Box{0, 0, 20, 10}));
  const Box centre = CentreBox({10, 20});
  EXPECT_NEAR(centre.x1, 2, 1e-5);
  EXPECT_NEAR(centre.y1, 1, 1e-5);
  EXPECT_NEAR(centre.x2, 18, 1e-5);
  EXPECT_NEAR(centre.y2, 9, 1e-5);
}

}  // namespace
}  // namespace objectdino
