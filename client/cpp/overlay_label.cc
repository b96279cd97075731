// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/overlay_label.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace objectdino {
namespace {

constexpr double kFontUnitHeight = 21;  // of a capital of FONT_HERSHEY_SIMPLEX at scale 1, pixels
constexpr double kStroke = 1.7;         // thickness of the letters at scale 1, pixels

}  // namespace

Pen PenFor(const cv::Mat& canvas) {
  const double size = std::sqrt(static_cast<double>(canvas.rows) * canvas.cols);
  Pen pen;
  pen.line = std::clamp(static_cast<int>(std::lround(size / 280)), 1, 24);
  pen.text_height = std::clamp(static_cast<int>(std::lround(size / 40)), 8, 160);
  return pen;
}

void LabelWriter::Write(const std::string& text, const cv::Rect& box, const cv::Scalar& colour) {
  const double scale = pen_.text_height / kFontUnitHeight;
  const int thickness = std::max(1, static_cast<int>(std::lround(scale * kStroke)));
  const int padding = std::max(1, pen_.text_height / 4);
  int baseline = 0;
  const cv::Size letters =
      cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, scale, thickness, &baseline);
  // '#' reaches below the base line by a quarter of the height.
  const cv::Size size(letters.width + 2 * padding,
                      letters.height + letters.height / 4 + 2 * padding);
  if (size.width > canvas_.cols || size.height > canvas_.rows) return;
  const std::optional<cv::Point> place = PlaceFor(box, size);
  if (!place) return;
  const cv::Rect plate(*place, size);
  taken_.push_back(plate);
  cv::rectangle(canvas_, plate, colour, cv::FILLED);
  cv::putText(canvas_, text, {plate.x + padding, plate.y + padding + letters.height},
              cv::FONT_HERSHEY_SIMPLEX, scale, cv::Scalar::all(0), thickness, cv::LINE_AA);
}

std::optional<cv::Point> LabelWriter::PlaceFor(const cv::Rect& box, const cv::Size& plate) const {
  const int top = box.y;
  const int bottom = box.y + box.height;
  std::vector<int> rows = {top - plate.height, top + pen_.line, bottom,
                           bottom - plate.height - pen_.line};
  // Then wherever there is room, the nearest below the box's upper edge first.
  for (int y = std::max(0, top); y < canvas_.rows; y += pen_.line) rows.push_back(y);
  for (int y = top; y >= 0; y -= pen_.line) rows.push_back(y);
  const int x = std::clamp(box.x, 0, canvas_.cols - plate.width);
  for (const int y : rows) {
    const cv::Rect candidate({x, y}, plate);
    const bool is_free = std::none_of(taken_.begin(), taken_.end(), [&](const cv::Rect& other) {
      return (other & candidate).area() > 0;
    });
    if (y >= 0 && y + plate.height <= canvas_.rows && is_free) return candidate.tl();
  }
  return std::nullopt;
}

}  // namespace objectdino
