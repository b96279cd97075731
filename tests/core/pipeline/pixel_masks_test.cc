// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/pixel_masks.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/image/decode.h"
#include "core/math/rle.h"
#include "core/objects/pixel_mask.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

constexpr ImageSize kSize = {60, 80};
constexpr PatchGrid kGrid = {6, 8, 14};

// Green; a red square on rows and columns 20 .. 39, a blue one on columns 53 .. 72.
Image Squares() {
  Image image{kSize.height, kSize.width, {}};
  for (int y = 0; y < kSize.height; ++y) {
    for (int x = 0; x < kSize.width; ++x) {
      const bool row = y >= 20 && y < 40;
      const bool red = row && x >= 20 && x < 40;
      const bool blue = row && x >= 53 && x < 73;
      for (const bool value : {red, !red && !blue, blue}) image.rgb.push_back(value ? 200 : 20);
    }
  }
  return image;
}

// One object on each square, the second of them on patches that lie three pixels off.
Grounding Found() {
  Grounding grounding;
  grounding.image = kSize;
  grounding.grid = kGrid;
  for (const int left : {2, 5}) {
    GroundedObject object;
    object.mask.assign(kGrid.size(), 0);
    for (const int row : {2, 3}) {
      for (const int col : {left, left + 1}) object.mask[row * kGrid.cols + col] = 1;
    }
    grounding.objects.push_back(object);
  }
  return grounding;
}

bool Never() { return false; }

std::vector<uint8_t> Decoded(const GroundedObject& object) {
  const auto mask = DecodeCocoRle(object.pixel_mask, kSize.height, kSize.width);
  EXPECT_THAT(mask, testing::IsOk());
  return mask.value_or(std::vector<uint8_t>());
}

std::vector<uint8_t> OtherPatches(const Grounding& grounding, size_t index) {
  return grounding.objects[1 - index].mask;
}

TEST(AddPixelMasks, EveryObject_HasTheMaskersMaskBesideTheOthers) {
  for (const MaskRefinement refinement : {MaskRefinement::kNone, MaskRefinement::kEdgeAware}) {
    const Image image = Squares();
    Grounding grounding = Found();
    GroundOptions options;
    options.mask_refinement = refinement;
    ASSERT_THAT(AddPixelMasks(image, options, Never, grounding), testing::IsOk());
    const PixelMasker masker(image.rgb, kSize, kGrid, refinement);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(Decoded(grounding.objects[i]),
                masker.Mask(grounding.objects[i].mask, OtherPatches(grounding, i)));
    }
  }
}

TEST(AddPixelMasks, DefaultRefinement_FindsTheSquare) {
  Grounding grounding = Found();
  ASSERT_THAT(AddPixelMasks(Squares(), {}, Never, grounding), testing::IsOk());
  const std::vector<uint8_t> mask = Decoded(grounding.objects[1]);
  EXPECT_EQ(mask[30 * kSize.width + 51], 0) << "a patch of the object, but green";
  EXPECT_EQ(mask[30 * kSize.width + 71], 1) << "no patch of the object, but blue";
}

TEST(AddPixelMasks, Png_HoldsTheSamePixels) {
  Grounding grounding = Found();
  ASSERT_THAT(AddPixelMasks(Squares(), {}, Never, grounding), testing::IsOk());
  const std::vector<uint8_t> expected = Decoded(grounding.objects[0]);
  GroundOptions options;
  options.mask_format = MaskFormat::kPng;
  ASSERT_THAT(AddPixelMasks(Squares(), options, Never, grounding), testing::IsOk());
  const auto png = DecodeImage(grounding.objects[0].pixel_mask, {});
  ASSERT_THAT(png, testing::IsOk());
  ASSERT_EQ(png->image.size(), kSize);
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(png->image.rgb[3 * i], expected[i] * 255) << "pixel " << i;
  }
}

TEST(AddPixelMasks, Stop_IsAskedBeforeEveryMask) {
  Grounding grounding = Found();
  int asked = 0;
  EXPECT_THAT(AddPixelMasks(
                  Squares(), {}, [&asked] { return ++asked == 2; }, grounding),
              testing::StatusIs(absl::StatusCode::kCancelled, ::testing::HasSubstr("two masks")));
  EXPECT_FALSE(grounding.objects[0].pixel_mask.empty());
  EXPECT_TRUE(grounding.objects[1].pixel_mask.empty());
}

TEST(AddPixelMasks, MoreBytesThanAllowed_OutOfRangeNoMoreMasks) {
  Grounding grounding = Found();
  ASSERT_THAT(AddPixelMasks(Squares(), {}, Never, grounding), testing::IsOk());
  const auto bytes = static_cast<int64_t>(grounding.objects[0].pixel_mask.size() +
                                          grounding.objects[1].pixel_mask.size());
  GroundOptions options;
  options.max_mask_bytes = bytes;
  EXPECT_THAT(AddPixelMasks(Squares(), options, Never, grounding), testing::IsOk());
  grounding = Found();
  options.max_mask_bytes = 1;
  EXPECT_THAT(AddPixelMasks(Squares(), options, Never, grounding),
              testing::StatusIs(absl::StatusCode::kOutOfRange, ::testing::HasSubstr("1 bytes")));
  EXPECT_TRUE(grounding.objects[1].pixel_mask.empty());
}

TEST(AddPixelMasks, NoObjects_IsFine) {
  Grounding grounding = Found();
  grounding.objects.clear();
  EXPECT_THAT(AddPixelMasks(Squares(), {}, Never, grounding), testing::IsOk());
}

}  // namespace
}  // namespace objectdino
