// SPDX-License-Identifier: Apache-2.0
// The labels of an overlay. Only for overlay.cc: this header shows OpenCV.
#ifndef OBJECTDINO_CLIENT_CPP_OVERLAY_LABEL_H_
#define OBJECTDINO_CLIENT_CPP_OVERLAY_LABEL_H_

#include <optional>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

namespace objectdino {

// How large lines and letters are on an image.
struct Pen {
  int line = 1;          // thickness, pixels
  int text_height = 10;  // of a capital, pixels
};

// Grows with the geometric mean of the sides.
Pen PenFor(const cv::Mat& canvas);

// Black letters on plates of the objects' colours. No plate leaves the canvas or covers another; a
// label for which there is no such place is left out.
class LabelWriter {
 public:
  // `canvas`: CV_8UC3, outlives the writer.
  LabelWriter(cv::Mat& canvas, const Pen& pen) : canvas_(canvas), pen_(pen) {}

  // Near the top left corner of `box`, preferably above it.
  void Write(const std::string& text, const cv::Rect& box, const cv::Scalar& colour);

 private:
  std::optional<cv::Point> PlaceFor(const cv::Rect& box, const cv::Size& plate) const;

  cv::Mat& canvas_;
  const Pen pen_;
  std::vector<cv::Rect> taken_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_OVERLAY_LABEL_H_
