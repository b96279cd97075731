// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heads_sheet.h"

#include <algorithm>
#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/client/head_answers.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::HeadResponse;
using testing::IsOk;
using testing::StatusIs;

using Colour = std::array<uint8_t, 3>;
constexpr Colour kWhite = {255, 255, 255};
// Both ends of viridis.
constexpr Colour kLeast = {68, 1, 84};
constexpr Colour kLargest = {253, 231, 37};

Image Red() {
  Image image{10, 12, std::vector<uint8_t>(360)};
  for (size_t i = 0; i < image.rgb.size(); i += 3) image.rgb[i] = 255;
  return image;
}

Image Sheet(const v1::GroundResponse& response, HeadComponent component = HeadComponent::kAll,
            const Image& image = Red()) {
  const auto sheet = DrawHeadsSheet(image, response, component);
  EXPECT_THAT(sheet, IsOk());
  EXPECT_EQ(sheet->rgb.size(), size_t{3} * sheet->height * sheet->width);
  return *sheet;
}

Colour At(const Image& image, int y, int x) {
  const uint8_t* pixel = &image.rgb[(static_cast<size_t>(y) * image.width + x) * 3];
  return {pixel[0], pixel[1], pixel[2]};
}

constexpr int kMargin = 20, kSidebarEnd = kMargin + 250, kMapsStart = kSidebarEnd + 40;
constexpr int kFrame = 5, kPadding = 8, kTileGap = 4, kMapGap = 3;

// Where the tiles of HeadResponse lie: maps of 64 x 32 pixels, 16 a patch; 80 x 40 when alone.
struct Tiles {
  Tiles(const Image& sheet, int maps_of_a_tile)
      : map_width(maps_of_a_tile == 3 ? 64 : 80),
        width(maps_of_a_tile * (map_width + kMapGap) - kMapGap + 2 * kPadding),
        height(map_width / 2 + 2 * kPadding),
        left(sheet.width - kMargin - 3 * (width + kTileGap) + kTileGap) {
    // The upper edge of the first tile: the first colour in the column of its frame.
    const int x = left + width - kFrame + 1;
    while (top < sheet.height && At(sheet, top, x) == kWhite) ++top;
    top -= 2;  // thin frames begin there
  }

  // Pixel (y, x) of the tile.
  static Colour Pixel(const Image& sheet, const Tiles& tiles, int layer, int head, int y, int x) {
    return At(sheet, tiles.top + layer * (tiles.height + kTileGap) + y,
              tiles.left + head * (tiles.width + kTileGap) + x);
  }

  int map_width;
  int width;
  int height;
  int left;
  int top = 0;
};

// In the middle of patch (row, col) of a tile's map.
Colour PatchOf(const Image& sheet, const Tiles& tiles, int layer, int head, int map, int row,
               int col) {
  const int patch = tiles.map_width / 4;
  return Tiles::Pixel(sheet, tiles, layer, head, kPadding + row * patch + patch / 2,
                      kPadding + map * (tiles.map_width + kMapGap) + col * patch + patch / 2);
}

TEST(HeadsSheetTest, DrawHeadsSheet_Frames_ColourOfTheClusterThickWhereObjectCentric) {
  const Image sheet = Sheet(HeadResponse());
  const Tiles tiles(sheet, 3);
  const int clusters[2][3] = {{1, 0, 1}, {2, 0, 0}};
  for (int layer = 0; layer < 2; ++layer) {
    for (int head = 0; head < 3; ++head) {
      const int cluster = clusters[layer][head];
      const Colour colour = kClusterColours[cluster];
      const auto pixel = [&](int y, int x) {
        return Tiles::Pixel(sheet, tiles, layer, head, y, x);
      };
      for (const auto& [y, x] :
           {std::pair{20, 0}, {20, 1}, {0, 90}, {20, tiles.width - 1}, {tiles.height - 1, 90}}) {
        EXPECT_EQ(pixel(y, x), cluster == 0 ? colour : kWhite) << layer << "." << head;
      }
      for (const auto& [y, x] :
           {std::pair{20, 2}, {20, 4}, {4, 90}, {20, tiles.width - 3}, {tiles.height - 3, 90}}) {
        EXPECT_EQ(pixel(y, x), colour) << layer << "." << head << ": " << y << ", " << x;
      }
      for (const auto& [y, x] : {std::pair{20, 5}, {20, 7}, {7, 90}, {tiles.height - 6, 90}}) {
        EXPECT_EQ(pixel(y, x), kWhite) << layer << "." << head;
      }
    }
  }
}

TEST(HeadsSheetTest, DrawHeadsSheet_Maps_EveryPatchASquareOnItsPlace) {
  const Image sheet = Sheet(HeadResponse());
  const Tiles tiles(sheet, 3);
  for (int layer = 0; layer < 2; ++layer) {
    for (int head = 0; head < 3; ++head) {
      for (int map = 0; map < 3; ++map) {
        std::set<Colour> seen;
        for (int row = 0; row < 2; ++row) {
          for (int col = 0; col < 4; ++col) {
            seen.insert(PatchOf(sheet, tiles, layer, head, map, row, col));
          }
        }
        EXPECT_EQ(seen.size(), 8U);
        EXPECT_EQ(PatchOf(sheet, tiles, layer, head, map, 0, 0), kLeast);
        EXPECT_EQ(PatchOf(sheet, tiles, layer, head, map, 1, 3), kLargest);
      }
    }
  }
  // The corners of the first map, and what lies beside them.
  EXPECT_EQ(Tiles::Pixel(sheet, tiles, 0, 0, 8, 8), kLeast);
  EXPECT_EQ(Tiles::Pixel(sheet, tiles, 0, 0, 23, 23), kLeast);
  EXPECT_NE(Tiles::Pixel(sheet, tiles, 0, 0, 23, 24), kLeast);
  EXPECT_EQ(Tiles::Pixel(sheet, tiles, 0, 0, 39, 71), kLargest);
  EXPECT_EQ(Tiles::Pixel(sheet, tiles, 0, 0, 39, 72), kWhite);
}

// Queries rise, keys fall, values are largest at patch 2; so is not their mean, which rises.
v1::GroundResponse DistinctComponents() {
  v1::GroundResponse response = HeadResponse();
  std::vector<float> values;
  for (int head = 0; head < 6; ++head) {
    for (int j = 0; j < 8; ++j) values.push_back(0.03F * static_cast<float>(j));
    for (int j = 0; j < 8; ++j) values.push_back(-0.01F * static_cast<float>(j));
    for (int j = 0; j < 8; ++j) values.push_back(j == 2 ? 0.001F : 0.0F);
  }
  testing::SetMaps(values, response);
  return response;
}

TEST(HeadsSheetTest, DrawHeadsSheet_All_QueriesKeysValuesFromTheLeft) {
  const Image sheet = Sheet(DistinctComponents());
  const Tiles tiles(sheet, 3);
  EXPECT_EQ(PatchOf(sheet, tiles, 1, 2, 0, 1, 3), kLargest);
  EXPECT_EQ(PatchOf(sheet, tiles, 1, 2, 1, 1, 3), kLeast);
  EXPECT_EQ(PatchOf(sheet, tiles, 1, 2, 1, 0, 0), kLargest);
  EXPECT_EQ(PatchOf(sheet, tiles, 1, 2, 2, 0, 2), kLargest);
  EXPECT_EQ(PatchOf(sheet, tiles, 1, 2, 2, 1, 3), kLeast);
}

TEST(HeadsSheetTest, DrawHeadsSheet_OneComponent_ThatMapAlone) {
  // Component, where its map is largest, where it is least.
  const std::vector<std::tuple<HeadComponent, int, int>> cases = {{HeadComponent::kQuery, 7, 0},
                                                                  {HeadComponent::kKey, 0, 7},
                                                                  {HeadComponent::kValue, 2, 7},
                                                                  {HeadComponent::kMean, 7, 0}};
  for (const auto& [component, largest, least] : cases) {
    const Image sheet = Sheet(DistinctComponents(), component);
    const Tiles tiles(sheet, 1);
    EXPECT_EQ(PatchOf(sheet, tiles, 0, 1, 0, largest / 4, largest % 4), kLargest);
    EXPECT_EQ(PatchOf(sheet, tiles, 0, 1, 0, least / 4, least % 4), kLeast);
  }
}

TEST(HeadsSheetTest, DrawHeadsSheet_ConstantMap_LeastColour) {
  v1::GroundResponse response = HeadResponse();
  testing::SetMaps(std::vector<float>(2 * 3 * 3 * 8, 0.7F), response);
  const Image sheet = Sheet(response);
  const Tiles tiles(sheet, 3);
  EXPECT_EQ(PatchOf(sheet, tiles, 0, 0, 0, 0, 0), kLeast);
  EXPECT_EQ(PatchOf(sheet, tiles, 1, 2, 2, 1, 3), kLeast);
}

TEST(HeadsSheetTest, DrawHeadsSheet_Preset_TwoKindsOfFrames) {
  const Image sheet = Sheet(testing::PresetHeadResponse());
  const Tiles tiles(sheet, 3);
  const Colour other = Tiles::Pixel(sheet, tiles, 0, 0, 20, 3);
  EXPECT_EQ(other[0], other[1]) << "gray";
  for (int head = 0; head < 3; ++head) {
    EXPECT_EQ(Tiles::Pixel(sheet, tiles, 0, head, 20, 3), other);
    EXPECT_EQ(Tiles::Pixel(sheet, tiles, 0, head, 20, 0), kWhite);
    EXPECT_EQ(Tiles::Pixel(sheet, tiles, 1, head, 20, 0), kClusterColours[0]);
  }
}

TEST(HeadsSheetTest, DrawHeadsSheet_Photograph_UpperLeftAsWideAsTheSidebar) {
  const Image sheet = Sheet(HeadResponse());
  const Colour red = {255, 0, 0};
  EXPECT_EQ(At(sheet, kMargin, kMargin), red);
  EXPECT_EQ(At(sheet, kMargin + 207, kSidebarEnd - 1), red);  // 250 * 10 / 12 = 208 high
  EXPECT_EQ(At(sheet, kMargin + 208, kMargin), kWhite);
  EXPECT_EQ(At(sheet, kMargin, kSidebarEnd), kWhite);
  EXPECT_EQ(At(sheet, kMargin - 1, kMargin), kWhite);
}

TEST(HeadsSheetTest, DrawHeadsSheet_LongModelName_NothingBetweenTheSidebarAndTheMaps) {
  v1::GroundResponse response = HeadResponse();
  response.mutable_model()->set_name(std::string(500, 'W') + "\xff\n");
  const Image sheet = Sheet(response);
  EXPECT_EQ(sheet.size(), Sheet(HeadResponse()).size());
  for (int y = 0; y < sheet.height; ++y) {
    for (int x = kSidebarEnd + 2; x < kMapsStart; ++x) ASSERT_EQ(At(sheet, y, x), kWhite);
  }
}

// `layers` x `heads` heads, each in a cluster of its own while there are less than `clusters`.
v1::GroundResponse ResponseOf(int layers, int heads, int rows, int cols, int clusters) {
  v1::GroundResponse response = HeadResponse();
  response.mutable_grid()->set_rows(rows);
  response.mutable_grid()->set_cols(cols);
  v1::Tensor* maps = response.mutable_head_analysis()->mutable_self_similarity();
  maps->clear_shape();
  for (const int side : {layers, heads, 3, rows, cols}) maps->add_shape(side);
  testing::SetMaps(std::vector<float>(size_t{3} * layers * heads * rows * cols, 0.1F), response);
  std::vector<int> of_head;
  std::vector<std::pair<int, int>> object_heads;
  for (int i = 0; i < layers * heads; ++i) {
    of_head.push_back(std::min(i, clusters - 1));
    if (of_head.back() == 0) object_heads.emplace_back(i / heads, i % heads);
  }
  testing::SetClusters(of_head, response);
  testing::SetHeads(object_heads, response);
  return response;
}

TEST(HeadsSheetTest, DrawHeadsSheet_AnyShape_HoldsEveryTile) {
  for (const auto& [layers, heads, rows, cols, clusters] : {std::tuple{1, 1, 1, 1, 1},
                                                            {2, 1, 1, 1024, 2},
                                                            {1, 2, 1024, 1, 2},
                                                            {24, 16, 3, 5, 64},
                                                            {128, 64, 1, 1, 5},
                                                            {3, 4, 73, 73, 12}}) {
    for (const HeadComponent component : {HeadComponent::kAll, HeadComponent::kMean}) {
      const auto sheet =
          DrawHeadsSheet(Red(), ResponseOf(layers, heads, rows, cols, clusters), component);
      ASSERT_THAT(sheet, IsOk()) << layers << " x " << heads << ", " << rows << " x " << cols;
      EXPECT_GT(sheet->width, kMapsStart + heads * (cols + 2 * kPadding));
      EXPECT_GT(sheet->height, layers * (rows + 2 * kPadding));
    }
  }
}

TEST(HeadsSheetTest, DrawHeadsSheet_MoreClustersThanColours_NumberOnEveryTile) {
  const v1::GroundResponse few = ResponseOf(2, 6, 2, 4, 8), many = ResponseOf(2, 6, 2, 4, 9);
  const auto corner = [](const v1::GroundResponse& response) {
    const Image sheet = Sheet(response);
    // The plate begins in the corner of the last tile, which a thin frame leaves white.
    return At(sheet, Tiles(sheet, 3).top + 48 + kTileGap, sheet.width - kMargin - 214);
  };
  EXPECT_EQ(corner(few), kWhite);
  EXPECT_EQ(corner(many), kClusterColours[1]);  // cluster 8: the colours repeat
}

TEST(HeadsSheetTest, DrawHeadsSheet_ExtremeImages_Drawn) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 900}, {900, 1}, {400, 300}}) {
    const Image image{height, width, std::vector<uint8_t>(size_t{3} * height * width, 9)};
    v1::GroundResponse response = HeadResponse();
    response.mutable_image()->set_height(height);
    response.mutable_image()->set_width(width);
    EXPECT_THAT(DrawHeadsSheet(image, response, HeadComponent::kKey), IsOk());
  }
}

TEST(HeadsSheetTest, DrawHeadsSheet_ImageOfAnotherSize_InvalidArgument) {
  const Image image{12, 10, std::vector<uint8_t>(360)};
  EXPECT_THAT(DrawHeadsSheet(image, HeadResponse(), HeadComponent::kAll),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("12x10")));
  v1::GroundResponse empty = HeadResponse();
  empty.mutable_image()->set_height(0);
  EXPECT_THAT(DrawHeadsSheet({0, 12, {}}, empty, HeadComponent::kAll),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0x12")));
}

TEST(HeadsSheetTest, DrawHeadsSheet_ContradictoryAnswer_InvalidArgument) {
  v1::GroundResponse response = HeadResponse();
  response.mutable_heads(0)->set_layer(7);
  EXPECT_THAT(DrawHeadsSheet(Red(), response, HeadComponent::kAll),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("7.1")));
}

}  // namespace
}  // namespace objectdino
