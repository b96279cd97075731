// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heads_sheet.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include <opencv2/core.hpp>

#include "client/cpp/head_answer.h"
#include "client/cpp/heads_sidebar.h"
#include "client/cpp/heads_tile.h"
#include "client/cpp/sheet_text.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// Pixels.
constexpr int kMargin = 20;         // twice between the two sides
constexpr int kMapSide = 64;        // longer side of a map, about
constexpr int kSingleMapSide = 80;  // the same, of a map alone in its tile
constexpr int kMapGap = 3;          // between the maps of a tile
constexpr int kTileGap = 4;
constexpr int kLabelGap = 8;      // between a label and a tile
constexpr int kNumberHeight = 9;  // of a digit on a tile

// Where everything lies: tiles, with labels on the left and on top.
struct Layout {
  Layout(const HeadAnswer& answer, HeadComponent component)
      : maps(component == HeadComponent::kAll ? 3 : 1),
        map(MapSize(answer, maps == 3 ? kMapSide : kSingleMapSide)),
        tile(maps * map.width + (maps - 1) * kMapGap + 2 * kTilePadding,
             map.height + 2 * kTilePadding),
        first(kLineHeight + TextWidth(absl::StrCat(answer.layers - 1), kTextHeight) + kLabelGap,
              (maps - 1) / 2 * kLineHeight + kLineHeight + kTextHeight + kLabelGap),
        size(first.x + answer.heads * (tile.width + kTileGap) - kTileGap,
             first.y + answer.layers * (tile.height + kTileGap) - kTileGap) {}

  cv::Rect Tile(int layer, int head) const {
    return {cv::Point(first.x + head * (tile.width + kTileGap),
                      first.y + layer * (tile.height + kTileGap)),
            tile};
  }

  // The map number `index` of a tile.
  cv::Rect Map(const cv::Rect& of_tile, int index) const {
    return {cv::Point(of_tile.x + kTilePadding + index * (map.width + kMapGap),
                      of_tile.y + kTilePadding),
            map};
  }

  int maps;  // in a tile
  cv::Size map;
  cv::Size tile;
  cv::Point first;  // upper left corner of the first tile
  cv::Size size;
};

void DrawCentred(const std::string& text, int centre, int baseline, const cv::Scalar& colour,
                 cv::Mat& canvas) {
  DrawText(text, kTextHeight, centre - TextWidth(text, kTextHeight) / 2, baseline, colour, canvas);
}

void DrawLabels(const HeadAnswer& answer, const Layout& layout, cv::Mat& canvas) {
  DrawCentred("head", (layout.first.x + layout.size.width) / 2, kTextHeight, kInk, canvas);
  for (int head = 0; head < answer.heads; ++head) {
    const cv::Rect tile = layout.Tile(0, head);
    DrawCentred(absl::StrCat(head), tile.x + tile.width / 2, kTextHeight + kLineHeight, kInk,
                canvas);
    for (int i = 0; i < 3 && layout.maps == 3; ++i) {
      const cv::Rect map = layout.Map(tile, i);
      DrawCentred(std::string(1, "qkv"[i]), map.x + map.width / 2,
                  kTextHeight + 2 * kLineHeight - 2, kPaleInk, canvas);
    }
  }
  DrawUpwardText("layer", kTextHeight, kTextHeight,
                 (layout.first.y + layout.size.height + TextWidth("layer", kTextHeight)) / 2, kInk,
                 canvas);
  for (int layer = 0; layer < answer.layers; ++layer) {
    const cv::Rect tile = layout.Tile(layer, 0);
    const std::string text = absl::StrCat(layer);
    DrawText(text, kTextHeight, layout.first.x - kLabelGap - TextWidth(text, kTextHeight),
             tile.y + (tile.height + kTextHeight) / 2, kInk, canvas);
  }
}

// In the tile's corner, where colours alone do not tell the groups apart.
void DrawNumber(const cv::Rect& tile, size_t group, const cv::Scalar& colour, cv::Mat& canvas) {
  const std::string text = absl::StrCat(group);
  const cv::Rect plate(tile.tl(), cv::Size(TextWidth(text, kNumberHeight) + 6, kNumberHeight + 7));
  canvas(plate & cv::Rect({}, canvas.size())) = colour;
  DrawText(text, kNumberHeight, plate.x + 3, plate.y + plate.height - 3, kPaper, canvas);
}

cv::Mat DrawMaps(const HeadAnswer& answer, const std::vector<HeadGroup>& groups,
                 HeadComponent component) {
  const Layout layout(answer, component);
  cv::Mat canvas(layout.size, CV_8UC3, kPaper);
  DrawLabels(answer, layout, canvas);
  for (size_t group = 0; group < groups.size(); ++group) {
    for (const int head : groups[group].heads) {
      const cv::Rect tile = layout.Tile(head / answer.heads, head % answer.heads);
      DrawFrame(tile, groups[group], canvas);
      for (int i = 0; i < layout.maps; ++i) {
        const auto shown = layout.maps == 3 ? static_cast<HeadComponent>(i) : component;
        DrawMap(MeanMap(answer, {head}, shown), answer, canvas(layout.Map(tile, i)));
      }
      if (groups.size() > kClusterColours.size()) {
        DrawNumber(tile, group, groups[group].colour, canvas);
      }
    }
  }
  return canvas;
}

}  // namespace

absl::StatusOr<Image> DrawHeadsSheet(const Image& image, const v1::GroundResponse& response,
                                     HeadComponent component) {
  if (image.height < 1 || image.width < 1 ||
      response.image().height() != static_cast<uint32_t>(image.height) ||
      response.image().width() != static_cast<uint32_t>(image.width)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the image is %dx%d (height x width), the answer is about one of %dx%d", image.height,
        image.width, response.image().height(), response.image().width()));
  }
  OBJECTDINO_ASSIGN_OR_RETURN(const HeadAnswer answer, ReadHeadAnswer(response));
  try {
    const std::vector<HeadGroup> groups = GroupsOf(answer);
    const cv::Mat sidebar = DrawHeadsSidebar(image, response, answer, groups, component);
    const cv::Mat maps = DrawMaps(answer, groups, component);
    Image sheet;
    sheet.height = std::max(sidebar.rows, maps.rows) + 2 * kMargin;
    sheet.width = sidebar.cols + maps.cols + 4 * kMargin;
    sheet.rgb.assign(size_t{3} * sheet.height * sheet.width, 255);
    cv::Mat canvas(sheet.height, sheet.width, CV_8UC3, sheet.rgb.data());
    sidebar.copyTo(canvas(cv::Rect({kMargin, kMargin}, sidebar.size())));
    maps.copyTo(canvas(cv::Rect({3 * kMargin + sidebar.cols, kMargin}, maps.size())));
    return sheet;
  } catch (const cv::Exception& e) {
    return absl::InternalError(absl::StrCat("the sheet cannot be drawn: ", e.err));
  }
}

}  // namespace objectdino
