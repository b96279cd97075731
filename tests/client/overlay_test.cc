// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/overlay.h"

#include <cmath>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/image/decode.h"
#include "core/math/rle.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

constexpr int kRows = 4;
constexpr int kCols = 6;

Image Noise(int height, int width) {
  Image image{height, width, std::vector<uint8_t>(size_t{3} * height * width)};
  std::mt19937 random(7);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

Image Gray(int height, int width) {
  return {height, width, std::vector<uint8_t>(size_t{3} * height * width, 90)};
}

v1::GroundResponse ResponseFor(const Image& image, const std::vector<float>& map) {
  v1::GroundResponse response;
  response.mutable_image()->set_height(image.height);
  response.mutable_image()->set_width(image.width);
  response.mutable_grid()->set_rows(kRows);
  response.mutable_grid()->set_cols(kCols);
  response.mutable_grid()->mutable_content()->set_x2(static_cast<float>(image.width));
  response.mutable_grid()->mutable_content()->set_y2(static_cast<float>(image.height));
  v1::Tensor* tensor = response.mutable_objectness();
  tensor->set_dtype(v1::DATA_TYPE_F32);
  tensor->add_shape(kRows);
  tensor->add_shape(kCols);
  std::string bytes(map.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), map.data(), bytes.size());
  tensor->set_data(bytes);
  return response;
}

// The patches [row1, row2) x [col1, col2).
v1::GroundedObject* AddObject(v1::GroundResponse& response, int row1, int col1, int row2,
                              int col2) {
  const float x_scale = response.grid().content().x2() / kCols;
  const float y_scale = response.grid().content().y2() / kRows;
  v1::GroundedObject* object = response.add_objects();
  object->set_index(response.objects_size() - 1);
  object->set_score(0.87F);
  object->mutable_box()->set_x1(static_cast<float>(col1) * x_scale);
  object->mutable_box()->set_y1(static_cast<float>(row1) * y_scale);
  object->mutable_box()->set_x2(static_cast<float>(col2) * x_scale);
  object->mutable_box()->set_y2(static_cast<float>(row2) * y_scale);
  object->mutable_anchor()->set_x(static_cast<float>(col1 + col2) / 2 * x_scale);
  object->mutable_anchor()->set_y(static_cast<float>(row1 + row2) / 2 * y_scale);
  std::vector<uint8_t> mask(kRows * kCols);
  for (int row = row1; row < row2; ++row) {
    for (int col = col1; col < col2; ++col) mask[row * kCols + col] = 1;
  }
  object->mutable_mask()->set_height(kRows);
  object->mutable_mask()->set_width(kCols);
  object->mutable_mask()->set_coco_rle(EncodeCocoRle(mask, kRows, kCols));
  return object;
}

std::vector<float> Flat(float value) { return std::vector<float>(kRows * kCols, value); }

std::vector<int> PixelAt(const Image& image, int y, int x) {
  const uint8_t* pixel = &image.rgb[(static_cast<size_t>(y) * image.width + x) * 3];
  return {pixel[0], pixel[1], pixel[2]};
}

int ChangedPixels(const Image& a, const Image& b, int y1, int x1, int y2, int x2) {
  int changed = 0;
  for (int y = y1; y < y2; ++y) {
    for (int x = x1; x < x2; ++x) changed += PixelAt(a, y, x) != PixelAt(b, y, x);
  }
  return changed;
}

TEST(OverlayTest, DrawOverlay_NoObjectsAndLowMap_ImageUnchanged) {
  const Image image = Noise(50, 70);
  const auto overlay = DrawOverlay(image, ResponseFor(image, Flat(0.5F)));
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(overlay->rgb, image.rgb);
}

TEST(OverlayTest, DrawOverlay_FullMap_RedWithOpacity60Percent) {
  const Image image = Gray(50, 70);
  const auto overlay = DrawOverlay(image, ResponseFor(image, Flat(1)));
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(PixelAt(*overlay, 25, 35),
            (std::vector<int>{189, 36, 36}));  // 0.4 * 90 + 0.6 * (255, 0, 0)
}

TEST(OverlayTest, DrawOverlay_MapThreeQuarters_OpacityHalfWay) {
  const Image image = Gray(50, 70);
  const auto overlay = DrawOverlay(image, ResponseFor(image, Flat(0.75F)));
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(PixelAt(*overlay, 0, 0),
            (std::vector<int>{140, 63, 63}));  // 0.7 * 90 + 0.3 * (255, 0, 0)
}

TEST(OverlayTest, DrawOverlay_OneHighPatch_OnlyItsNeighbourhoodTinted) {
  const Image image = Noise(80, 120);  // patches of 20 x 20
  std::vector<float> map = Flat(0);
  map[1 * kCols + 2] = 1;
  const auto overlay = DrawOverlay(image, ResponseFor(image, map));
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(ChangedPixels(image, *overlay, 20, 40, 40, 60),
            ChangedPixels(image, *overlay, 0, 0, 80, 120));
  EXPECT_GT(ChangedPixels(image, *overlay, 25, 45, 35, 55), 90);
}

TEST(OverlayTest, DrawOverlay_MapNotANumber_NoTint) {
  const Image image = Noise(50, 70);
  const auto overlay =
      DrawOverlay(image, ResponseFor(image, Flat(std::numeric_limits<float>::quiet_NaN())));
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(overlay->rgb, image.rgb);
}

TEST(OverlayTest, DrawOverlay_ContentIsAPartOfTheImage_OutsideUnchanged) {
  const Image image = Noise(60, 90);
  v1::GroundResponse response = ResponseFor(image, Flat(1));
  response.mutable_grid()->mutable_content()->set_y1(20);
  response.mutable_grid()->mutable_content()->set_x2(60);
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(ChangedPixels(image, *overlay, 0, 0, 20, 90), 0);
  EXPECT_EQ(ChangedPixels(image, *overlay, 0, 60, 60, 90), 0);
  EXPECT_GT(ChangedPixels(image, *overlay, 20, 0, 60, 60), 39 * 60);
}

TEST(OverlayTest, DrawOverlay_Object_LinesOnTheBoxAndNothingFarAway) {
  const Image image = Noise(400, 600);  // patches of 100 x 100
  v1::GroundResponse response = ResponseFor(image, Flat(0));
  AddObject(response, 1, 1, 3, 3);
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  for (const int at : {120, 200, 280}) {
    EXPECT_EQ(PixelAt(*overlay, at, 100), (std::vector<int>{255, 221, 51})) << "left, y = " << at;
    EXPECT_EQ(PixelAt(*overlay, at, 299), (std::vector<int>{255, 221, 51})) << "right, y = " << at;
    EXPECT_EQ(PixelAt(*overlay, 299, at), (std::vector<int>{255, 221, 51})) << "bottom, x = " << at;
  }
  EXPECT_EQ(ChangedPixels(image, *overlay, 0, 320, 400, 600), 0);
  EXPECT_EQ(ChangedPixels(image, *overlay, 320, 0, 400, 600), 0);
}

TEST(OverlayTest, DrawOverlay_Object_OutlineFollowsTheMaskNotTheBox) {
  const Image image = Noise(400, 600);
  v1::GroundResponse response = ResponseFor(image, Flat(0));
  v1::GroundedObject* object = AddObject(response, 1, 1, 3, 3);
  std::vector<uint8_t> mask(kRows * kCols);  // the box without its lower right patch
  mask[1 * kCols + 1] = mask[1 * kCols + 2] = mask[2 * kCols + 1] = 1;
  object->mutable_mask()->set_coco_rle(EncodeCocoRle(mask, kRows, kCols));
  object->clear_anchor();
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  EXPECT_GT(ChangedPixels(image, *overlay, 240, 190, 280, 210), 40);  // edge between the patches
  EXPECT_EQ(ChangedPixels(image, *overlay, 240, 240, 280, 280),
            0);  // the patch that is not in the mask
}

TEST(OverlayTest, DrawOverlay_PixelMask_OutlineIsItsOwnNotThePatches) {
  const Image image = Noise(400, 600);
  v1::GroundResponse response = ResponseFor(image, Flat(0));
  v1::GroundedObject* object = AddObject(response, 1, 1, 3, 3);
  object->clear_anchor();
  object->mutable_box()->set_x2(320);  // apart from the patches' border, columns 299 and 300
  std::vector<uint8_t> mask(400 * 600);
  for (int y = 100; y < 300; ++y) {
    for (int x = 100; x < 250; ++x) mask[y * 600 + x] = 1;
  }
  object->mutable_pixel_mask()->set_height(400);
  object->mutable_pixel_mask()->set_width(600);
  object->mutable_pixel_mask()->set_coco_rle(EncodeCocoRle(mask, 400, 600));
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(PixelAt(*overlay, 200, 249), (std::vector<int>{255, 221, 51}));
  EXPECT_EQ(ChangedPixels(image, *overlay, 150, 255, 250, 310), 0);
}

TEST(OverlayTest, DrawOverlay_BoxIsTheWholeImage_LinesVisibleOnAllFourSides) {
  const Image image = Noise(400, 600);
  v1::GroundResponse response = ResponseFor(image, Flat(0));
  AddObject(response, 0, 0, kRows, kCols);
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  const std::vector<int> colour = {255, 221, 51};
  EXPECT_EQ(PixelAt(*overlay, 200, 0), colour);
  EXPECT_EQ(PixelAt(*overlay, 200, 599), colour);
  EXPECT_EQ(PixelAt(*overlay, 0, 300), colour);
  EXPECT_EQ(PixelAt(*overlay, 399, 300), colour);
}

TEST(OverlayTest, DrawOverlay_ObjectInTheUpperRightCorner_LabelWhollyInside) {
  const Image image = Gray(400, 600);
  v1::GroundResponse response = ResponseFor(image, Flat(0));
  v1::GroundedObject* object = AddObject(response, 0, 5, 1, 6);
  object->clear_mask();
  object->clear_anchor();
  object->mutable_box()->set_x1(590);
  object->mutable_box()->set_y2(8);
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  // Below the box there is room for the plate: as wide as its text, and all of it on the image.
  int plate = 0;
  for (int x = 0; x < 600; ++x) plate += PixelAt(*overlay, 10, x) != PixelAt(image, 10, x);
  EXPECT_GT(plate, 60);
  EXPECT_EQ(PixelAt(*overlay, 10, 599 - plate), PixelAt(image, 10, 599 - plate));
}

TEST(OverlayTest, DrawOverlay_TwoObjectsWithTheSameBox_BothLabelsVisible) {
  const Image image = Gray(400, 600);
  v1::GroundResponse response = ResponseFor(image, Flat(0));
  AddObject(response, 1, 1, 3, 3);
  AddObject(response, 1, 1, 3, 3);
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  int first = 0;
  for (int y = 0; y < 400; ++y) {
    for (int x = 0; x < 600; ++x)
      first += PixelAt(*overlay, y, x) == std::vector<int>{255, 221, 51};
  }
  EXPECT_GT(first, 500);  // the first one's lines lie below the second's, its plate does not
}

TEST(OverlayTest, DrawOverlay_OnePixelImage_OnePixel) {
  const Image image = Gray(1, 1);
  v1::GroundResponse response = ResponseFor(image, Flat(1));
  AddObject(response, 1, 1, 3, 3);
  const auto overlay = DrawOverlay(image, response);
  ASSERT_THAT(overlay, IsOk());
  EXPECT_EQ(overlay->rgb.size(), 3U);
}

TEST(OverlayTest, DrawOverlay_ExtremeSizes_SizeKept) {
  for (const auto& [height, width] : {std::pair{1, 900}, {900, 1}, {7, 11}, {3000, 40}}) {
    const Image image = Gray(height, width);
    v1::GroundResponse response = ResponseFor(image, Flat(0.8F));
    AddObject(response, 0, 0, kRows, 2);
    AddObject(response, 3, 5, 4, 6);
    const auto overlay = DrawOverlay(image, response);
    ASSERT_THAT(overlay, IsOk()) << height << " x " << width;
    EXPECT_EQ(overlay->size(), image.size());
  }
}

TEST(OverlayTest, DrawOverlay_ImageOfAnotherSize_InvalidArgument) {
  const v1::GroundResponse response = ResponseFor(Gray(50, 70), Flat(0));
  EXPECT_THAT(DrawOverlay(Gray(70, 50), response),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("70x50")));
}

TEST(OverlayTest, DrawOverlay_AnswersThatContradictThemselves_InvalidArgument) {
  const Image image = Gray(50, 70);
  const v1::GroundResponse good = ResponseFor(image, Flat(0));
  std::vector<std::pair<std::string, v1::GroundResponse>> bad(8, {"", good});
  bad[0].first = "short map";
  bad[0].second.mutable_objectness()->mutable_data()->pop_back();
  bad[1].first = "transposed map";
  bad[1].second.mutable_objectness()->mutable_shape()->SwapElements(0, 1);
  bad[2].first = "huge grid";
  bad[2].second.mutable_grid()->set_rows(1U << 31);
  bad[3].first = "box is no number";
  AddObject(bad[3].second, 0, 0, 1, 1)->mutable_box()->set_x2(std::nanf(""));
  bad[4].first = "box off the image";
  AddObject(bad[4].second, 0, 0, 1, 1)->mutable_box()->set_x2(1e30F);
  bad[5].first = "mask on another grid";
  AddObject(bad[5].second, 0, 0, 1, 1)->mutable_mask()->set_height(kRows + 1);
  bad[6].first = "malformed RLE";
  AddObject(bad[6].second, 0, 0, 1, 1)->mutable_mask()->set_coco_rle("~~~~");
  bad[7].first = "pixel mask of another size";
  AddObject(bad[7].second, 0, 0, 1, 1)->mutable_pixel_mask()->set_height(51);
  for (const auto& [name, response] : bad) {
    EXPECT_THAT(DrawOverlay(image, response), StatusIs(absl::StatusCode::kInvalidArgument, _))
        << name;
  }
}

TEST(OverlayTest, EncodePng_Noise_DecodesToTheSamePixels) {
  const Image image = Noise(33, 47);
  const auto png = EncodePng(image);
  ASSERT_THAT(png, IsOk());
  const auto decoded = DecodeImage(*png, {});
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->image.size(), image.size());
  EXPECT_EQ(decoded->image.rgb, image.rgb);
}

}  // namespace
}  // namespace objectdino
