// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/sheet_text.h"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

namespace objectdino {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kFontUnitHeight = 21;  // of a capital at scale 1, pixels
constexpr double kStroke = 2.3;         // thickness of the letters at scale 1, pixels
constexpr int kOversampling = 4;  // OpenCV's letters are lines; drawn large they become smooth

struct Letters {
  cv::Mat opacity;   // CV_8UC1
  int baseline = 0;  // row of `opacity`
};

double Scale(int height) { return kOversampling * height / kFontUnitHeight; }

int Thickness(int height) {
  return std::max(1, static_cast<int>(std::lround(Scale(height) * kStroke)));
}

Letters RenderText(const std::string& text, int height) {
  int below = 0;
  const cv::Size size = cv::getTextSize(text, kFont, Scale(height), Thickness(height), &below);
  const int above = (size.height + Thickness(height)) / kOversampling + 1;
  const int rows = above + (below + Thickness(height)) / kOversampling + 1;
  const int cols = size.width / kOversampling + 1;
  cv::Mat large(rows * kOversampling, cols * kOversampling, CV_8UC1, cv::Scalar(0));
  cv::putText(large, text, {0, above * kOversampling}, kFont, Scale(height), cv::Scalar(255),
              Thickness(height), cv::LINE_AA);
  Letters letters;
  cv::resize(large, letters.opacity, {cols, rows}, 0, 0, cv::INTER_AREA);
  letters.baseline = above;
  return letters;
}

void Blend(const cv::Mat& opacity, cv::Point at, const cv::Scalar& colour, cv::Mat& canvas) {
  const cv::Rect visible = cv::Rect(at, opacity.size()) & cv::Rect(0, 0, canvas.cols, canvas.rows);
  for (int y = visible.y; y < visible.y + visible.height; ++y) {
    for (int x = visible.x; x < visible.x + visible.width; ++x) {
      const double weight = opacity.at<uint8_t>(y - at.y, x - at.x) / 255.0;
      auto& pixel = canvas.at<cv::Vec3b>(y, x);
      for (int c = 0; c < 3; ++c) {
        pixel[c] = cv::saturate_cast<uint8_t>(std::lerp(double{1} * pixel[c], colour[c], weight));
      }
    }
  }
}

}  // namespace

int TextWidth(const std::string& text, int height) {
  int below = 0;
  return cv::getTextSize(text, kFont, Scale(height), Thickness(height), &below).width /
         kOversampling;
}

std::string FitText(const std::string& text, int height, int width) {
  if (TextWidth(text, height) <= width) return text;
  std::string cut = text;
  while (!cut.empty() && TextWidth(cut + "...", height) > width) cut.pop_back();
  return cut + "...";
}

void DrawText(const std::string& text, int height, int left, int baseline, const cv::Scalar& colour,
              cv::Mat& canvas) {
  const Letters letters = RenderText(text, height);
  Blend(letters.opacity, {left, baseline - letters.baseline}, colour, canvas);
}

void DrawUpwardText(const std::string& text, int height, int baseline, int bottom,
                    const cv::Scalar& colour, cv::Mat& canvas) {
  const Letters letters = RenderText(text, height);
  cv::Mat upward;
  cv::rotate(letters.opacity, upward, cv::ROTATE_90_COUNTERCLOCKWISE);
  Blend(upward, {baseline - letters.baseline, bottom - upward.rows}, colour, canvas);
}

}  // namespace objectdino
