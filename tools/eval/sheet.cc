// SPDX-License-Identifier: Apache-2.0
#include "tools/eval/sheet.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "core/evaluation/corloc.h"

namespace objectdino {
namespace {

// Pixels.
constexpr int kColumns = 6;
constexpr int kCellWidth = 300;
constexpr int kCellHeight = 240;
constexpr int kCaption = 44;  // below a cell: two lines
constexpr int kGap = 10;
constexpr int kHeader = 34;

constexpr double kTintOpacity = 0.4;
constexpr double kFontScale = 0.45;
constexpr size_t kShownPredictions = 5;

// RGB.
const cv::Scalar kPaper(255, 255, 255);
const cv::Scalar kInk(40, 40, 40);
const cv::Scalar kTruth(40, 255, 40);
const cv::Scalar kFirst(255, 150, 0);
const cv::Scalar kOthers(255, 225, 140);
const cv::Scalar kMask(230, 40, 160);
const cv::Scalar kRight(0, 130, 0);
const cv::Scalar kWrong(200, 0, 0);

int WidthOf(const std::string& text) {
  int baseline = 0;
  return cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, kFontScale, 1, &baseline).width;
}

void Write(const std::string& text, cv::Point at, const cv::Scalar& colour, cv::Mat& canvas) {
  cv::putText(canvas, text, at, cv::FONT_HERSHEY_SIMPLEX, kFontScale, colour, 1, cv::LINE_AA);
}

// The end of a name says more than its beginning.
std::string FitEnd(const std::string& text, int width) {
  if (WidthOf(text) <= width) return text;
  for (size_t cut = 1; cut < text.size(); ++cut) {
    std::string shorter = "..." + text.substr(cut);
    if (WidthOf(shorter) <= width) return shorter;
  }
  return "";
}

// A box on a photograph that was scaled onto `picture`, with a shadow that keeps it visible.
void DrawBox(const Box& box, double scale, const cv::Scalar& colour, int thickness,
             cv::Mat& picture) {
  const auto at = [&](double value, int size) {
    return std::clamp(static_cast<int>(std::lround(value * scale)), 0, size - 1);
  };
  const cv::Point first(at(box.x1, picture.cols), at(box.y1, picture.rows));
  const cv::Point last(at(box.x2 - 1, picture.cols), at(box.y2 - 1, picture.rows));
  const cv::Point shadow(1, 1);
  cv::rectangle(picture, first + shadow, last + shadow, kInk, thickness);
  cv::rectangle(picture, first, last, colour, thickness);
}

void Tint(const Tile& tile, cv::Mat& picture) {
  if (tile.mask.empty()) return;
  const cv::Mat mask(tile.photo.height, tile.photo.width, CV_8UC1,
                     const_cast<uint8_t*>(tile.mask.data()));
  cv::Mat small;
  cv::resize(mask, small, picture.size(), 0, 0, cv::INTER_NEAREST);
  const cv::Mat tinted = picture * (1 - kTintOpacity) + kMask * kTintOpacity;
  tinted.copyTo(picture, small);
}

void DrawTile(const Tile& tile, cv::Point corner, cv::Mat& canvas) {
  const cv::Mat photo(tile.photo.height, tile.photo.width, CV_8UC3,
                      const_cast<uint8_t*>(tile.photo.rgb.data()));
  const double scale = std::min(double{kCellWidth} / photo.cols, double{kCellHeight} / photo.rows);
  const cv::Size size(std::max(1, static_cast<int>(photo.cols * scale)),
                      std::max(1, static_cast<int>(photo.rows * scale)));
  cv::Mat picture = canvas(cv::Rect(
      corner + cv::Point((kCellWidth - size.width) / 2, (kCellHeight - size.height) / 2), size));
  cv::Mat resized;
  cv::resize(photo, resized, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  resized.copyTo(picture);
  Tint(tile, picture);
  const size_t shown = std::min(tile.predicted.size(), kShownPredictions);
  for (size_t i = shown; i > 1; --i) DrawBox(tile.predicted[i - 1], scale, kOthers, 2, picture);
  for (const Box& box : tile.truth) DrawBox(box, scale, kTruth, 2, picture);
  if (shown > 0) DrawBox(tile.predicted[0], scale, kFirst, 2, picture);

  const cv::Point line = corner + cv::Point(0, kCellHeight + 16);
  const std::string figure = absl::StrFormat("IoU %.2f", tile.iou);
  Write(figure, line, tile.iou >= kCorLocIou ? kRight : kWrong, canvas);
  Write(FitEnd(tile.method, kCellWidth - WidthOf(figure) - kGap),
        line + cv::Point(WidthOf(figure) + kGap, 0), kInk, canvas);
  Write(FitEnd(tile.name, kCellWidth), line + cv::Point(0, 18), kInk, canvas);
}

void DrawHeader(const std::string& title, cv::Mat& canvas) {
  const int baseline = kHeader - 12;
  const struct {
    const char* text;
    cv::Scalar colour;
  } legend[] = {{"mask of the first", kMask},  // from right to left
                {"further boxes", kOthers},
                {"first box", kFirst},
                {"truth", kTruth}};
  int x = canvas.cols - kGap;
  for (const auto& [text, colour] : legend) {
    x -= WidthOf(text);
    Write(text, {x, baseline}, kInk, canvas);
    x -= 20;
    cv::rectangle(canvas, {x, baseline - 11}, {x + 13, baseline + 1}, colour, cv::FILLED);
    cv::rectangle(canvas, {x, baseline - 11}, {x + 13, baseline + 1}, kInk);
    x -= 2 * kGap;
  }
  Write(FitEnd(title, x - kGap), {kGap, baseline}, kInk, canvas);
}

void Draw(const std::string& title, absl::Span<const Tile> tiles, cv::Mat& canvas) {
  canvas.setTo(kPaper);
  DrawHeader(title, canvas);
  for (size_t i = 0; i < tiles.size(); ++i) {
    const int column = static_cast<int>(i) % kColumns;
    const int row = static_cast<int>(i) / kColumns;
    DrawTile(tiles[i],
             {kGap + column * (kCellWidth + kGap), kHeader + row * (kCellHeight + kCaption + kGap)},
             canvas);
  }
}

}  // namespace

absl::StatusOr<Image> DrawSheet(const std::string& title, absl::Span<const Tile> tiles) {
  const int rows = (static_cast<int>(tiles.size()) + kColumns - 1) / kColumns;
  Image sheet;
  sheet.height = kHeader + rows * (kCellHeight + kCaption + kGap);
  sheet.width = kGap + kColumns * (kCellWidth + kGap);
  sheet.rgb.resize(static_cast<size_t>(sheet.height) * sheet.width * 3);
  try {
    cv::Mat canvas(sheet.height, sheet.width, CV_8UC3, sheet.rgb.data());
    Draw(title, tiles, canvas);
  } catch (const cv::Exception& e) {
    return absl::InternalError(absl::StrCat("the sheet cannot be drawn: ", e.err));
  }
  return sheet;
}

std::vector<size_t> BestAndWorst(absl::Span<const double> ious, size_t count) {
  std::vector<size_t> order(ious.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&ious](size_t a, size_t b) { return ious[a] > ious[b]; });
  count = std::min(count, order.size());
  std::vector<size_t> chosen(order.begin(),
                             order.begin() + static_cast<std::ptrdiff_t>((count + 1) / 2));
  chosen.insert(chosen.end(), order.rbegin(),
                order.rbegin() + static_cast<std::ptrdiff_t>(count / 2));
  return chosen;
}

}  // namespace objectdino
