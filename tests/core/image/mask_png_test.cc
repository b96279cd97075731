// SPDX-License-Identifier: Apache-2.0
#include "core/image/mask_png.h"

#include <vector>

#include "gtest/gtest.h"

#include "core/image/decode.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

TEST(EncodeMaskPng, EverySize_DecodesToBlackAndWhite) {
  for (const ImageSize& size : {ImageSize{1, 1}, {1, 70}, {70, 1}, {33, 47}}) {
    std::vector<uint8_t> mask;
    for (int i = 0; i < size.height * size.width; ++i) mask.push_back(i % 3 == 0 ? 1 : 0);
    const auto png = EncodeMaskPng(mask, size);
    ASSERT_THAT(png, testing::IsOk());
    const auto decoded = DecodeImage(*png, {});
    ASSERT_THAT(decoded, testing::IsOk());
    ASSERT_EQ(decoded->image.size(), size);
    for (size_t i = 0; i < decoded->image.rgb.size(); ++i) {
      ASSERT_EQ(decoded->image.rgb[i], mask[i / 3] * 255) << size.height << " x " << size.width;
    }
  }
}

TEST(EncodeMaskPng, File_HasOneChannelOf8Bits) {
  const auto png = EncodeMaskPng(std::vector<uint8_t>{0, 1}, {1, 2});
  ASSERT_THAT(png, testing::IsOk());
  EXPECT_EQ(png->at(24), 8);  // bit depth
  EXPECT_EQ(png->at(25), 0);  // colour type: grey
}

}  // namespace
}  // namespace objectdino
