// SPDX-License-Identifier: Apache-2.0
#include "core/objects/pixel_mask.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;

TEST(UpsampleMask, PixelBelongsToThePatchOfItsCentre) {
  // 5 pixels on 2 patches: centres 0.5 .. 4.5, the border lies at 2.5, where the second patch
  // starts.
  const PatchGrid grid{1, 2, 14};
  EXPECT_THAT(UpsampleMask({0, 1}, grid, {1, 5}), ElementsAre(0, 0, 1, 1, 1));
}

TEST(UpsampleMask, RowsAndColumnsAreNotSwapped) {
  const PatchGrid grid{2, 1, 14};
  EXPECT_THAT(UpsampleMask({0, 1}, grid, {4, 2}), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
}

TEST(UpsampleMask, ImageSmallerThanTheGrid_TakesThePatchOfTheCentre) {
  const PatchGrid grid{3, 3, 14};
  EXPECT_THAT(UpsampleMask({0, 0, 0, 0, 1, 0, 0, 0, 0}, grid, {1, 1}), ElementsAre(1));
}

}  // namespace
}  // namespace objectdino
