// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "core/image/mask_png.h"
#include "core/math/rle.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using testing::IsOk;
using testing::StatusIs;

const std::vector<uint8_t> kPixels = {0, 1, 1, 0, 0, 1};  // 2 x 3

v1::Mask MaskOfSize(int height, int width) {
  v1::Mask mask;
  mask.set_height(height);
  mask.set_width(width);
  return mask;
}

TEST(MaskTest, DecodeMask_RleAndPng_SamePixels) {
  v1::Mask mask = MaskOfSize(2, 3);
  mask.set_coco_rle(EncodeCocoRle(kPixels, 2, 3));
  auto pixels = DecodeMask(mask, {2, 3});
  ASSERT_THAT(pixels, IsOk());
  EXPECT_EQ(*pixels, kPixels);
  mask.set_png(*EncodeMaskPng(kPixels, {2, 3}));
  pixels = DecodeMask(mask, {2, 3});
  ASSERT_THAT(pixels, IsOk());
  EXPECT_EQ(*pixels, kPixels);
}

TEST(MaskTest, DecodeMask_SizesDiffer_InvalidArgument) {
  v1::Mask mask = MaskOfSize(2, 3);
  mask.set_coco_rle(EncodeCocoRle(kPixels, 2, 3));
  EXPECT_THAT(DecodeMask(mask, {3, 2}), StatusIs(absl::StatusCode::kInvalidArgument, _));
  mask = MaskOfSize(3, 2);  // is not what the file says
  mask.set_png(*EncodeMaskPng(kPixels, {2, 3}));
  EXPECT_THAT(DecodeMask(mask, {3, 2}), StatusIs(absl::StatusCode::kInvalidArgument, _));
}

TEST(MaskTest, DecodeMask_MalformedOrEmpty_InvalidArgument) {
  v1::Mask mask = MaskOfSize(2, 3);
  EXPECT_THAT(DecodeMask(mask, {2, 3}), StatusIs(absl::StatusCode::kInvalidArgument, _));
  mask.set_coco_rle("~~~");
  EXPECT_THAT(DecodeMask(mask, {2, 3}), StatusIs(absl::StatusCode::kInvalidArgument, _));
  mask.set_png("~~~");
  EXPECT_THAT(DecodeMask(mask, {2, 3}), StatusIs(absl::StatusCode::kInvalidArgument, _));
  EXPECT_THAT(DecodeMask(MaskOfSize(0, 0), {0, 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, _));
}

}  // namespace
}  // namespace objectdino
