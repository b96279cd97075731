// SPDX-License-Identifier: Apache-2.0
// Smooth small letters for figures. Only for drawing code: this header shows OpenCV.
#ifndef OBJECTDINO_CLIENT_CPP_SHEET_TEXT_H_
#define OBJECTDINO_CLIENT_CPP_SHEET_TEXT_H_

#include <string>

#include <opencv2/core.hpp>

namespace objectdino {

// Pixels that `text` takes from left to right. `height`: of a capital, pixels.
int TextWidth(const std::string& text, int height);

// `text`, or its beginning and dots, so that it takes at most `width` pixels.
std::string FitText(const std::string& text, int height, int width);

// Writes on `canvas` (CV_8UC3), which cuts off what does not lie on it; `left` and `baseline` are
// where the first letter stands.
void DrawText(const std::string& text, int height, int left, int baseline, const cv::Scalar& colour,
              cv::Mat& canvas);

// The same, read from below upwards; `bottom` and `baseline` are where the first letter stands.
void DrawUpwardText(const std::string& text, int height, int baseline, int bottom,
                    const cv::Scalar& colour, cv::Mat& canvas);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_SHEET_TEXT_H_
