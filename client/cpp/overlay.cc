// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/overlay.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "client/cpp/mask.h"
#include "client/cpp/overlay_label.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors on the wire are little-endian");

constexpr uint32_t kMaxGridSide = 1024;
constexpr int kOutlineCanvas =
    768;                          // pixels of the longer side of the canvas outlines are found on
constexpr int kSubpixelBits = 4;  // of OpenCV's fixed-point coordinates
constexpr float kTint[3] = {255, 0, 0};

// RGB, bright, apart from each other and from the tint.
constexpr std::array<std::array<int, 3>, 8> kColours = {{{255, 221, 51},
                                                         {0, 229, 255},
                                                         {124, 252, 0},
                                                         {255, 105, 255},
                                                         {255, 150, 30},
                                                         {120, 170, 255},
                                                         {0, 255, 170},
                                                         {255, 255, 255}}};

cv::Scalar ColourOf(size_t index) {
  const auto& c = kColours[index % kColours.size()];
  return {static_cast<double>(c[0]), static_cast<double>(c[1]), static_cast<double>(c[2])};
}

// The answer's geometry: patches on the part of the image that they cover.
struct Geometry {
  int rows = 0;
  int cols = 0;
  cv::Rect2d content;  // pixels of the image
};

// Not a number is not within.
bool IsWithin(float value, int size) { return value >= 0 && value <= static_cast<float>(size); }

bool IsBox(const v1::Box& box, const cv::Mat& canvas) {
  return IsWithin(box.x1(), canvas.cols) && IsWithin(box.x2(), canvas.cols) &&
         IsWithin(box.y1(), canvas.rows) && IsWithin(box.y2(), canvas.rows) &&
         box.x1() < box.x2() && box.y1() < box.y2();
}

absl::StatusOr<Geometry> GeometryOf(const v1::PatchGrid& grid, const cv::Mat& canvas) {
  if (grid.rows() == 0 || grid.cols() == 0 || grid.rows() > kMaxGridSide ||
      grid.cols() > kMaxGridSide || !IsBox(grid.content(), canvas)) {
    return absl::InvalidArgumentError(
        "the answer's patch grid is empty, too large or off the image");
  }
  const v1::Box& box = grid.content();
  return Geometry{static_cast<int>(grid.rows()),
                  static_cast<int>(grid.cols()),
                  {box.x1(), box.y1(), double{box.x2()} - box.x1(), double{box.y2()} - box.y1()}};
}

absl::StatusOr<std::vector<float>> ObjectnessMap(const v1::Tensor& tensor,
                                                 const Geometry& geometry) {
  const size_t count = static_cast<size_t>(geometry.rows) * geometry.cols;
  if (tensor.dtype() != v1::DATA_TYPE_F32 || tensor.shape_size() != 2 ||
      tensor.shape(0) != static_cast<uint32_t>(geometry.rows) ||
      tensor.shape(1) != static_cast<uint32_t>(geometry.cols) ||
      tensor.data().size() != count * sizeof(float)) {
    return absl::InvalidArgumentError("the answer's objectness map is not F32 [rows, cols]");
  }
  std::vector<float> map(count);
  std::memcpy(map.data(), tensor.data().data(), tensor.data().size());
  return map;
}

// Bilinear sampling along one axis: which two cells a pixel lies between, and the second one's
// weight.
struct Sample {
  int first = 0;
  int second = 0;
  float weight = 0;
};

// One entry a pixel of [0, size); pixels outside the content have first = -1.
std::vector<Sample> SampleAxis(int size, int cells, double start, double extent) {
  std::vector<Sample> samples(size);
  for (int i = 0; i < size; ++i) {
    const double position = (i + 0.5 - start) / extent * cells;
    if (position < 0 || position > cells) {
      samples[i].first = -1;
      continue;
    }
    const double cell = std::clamp(position - 0.5, 0.0, cells - 1.0);
    samples[i].first = static_cast<int>(cell);
    samples[i].second = std::min(samples[i].first + 1, cells - 1);
    samples[i].weight = static_cast<float>(cell - samples[i].first);
  }
  return samples;
}

void Tint(absl::Span<const float> map, const Geometry& geometry, cv::Mat& canvas) {
  const auto xs =
      SampleAxis(canvas.cols, geometry.cols, geometry.content.x, geometry.content.width);
  const auto ys =
      SampleAxis(canvas.rows, geometry.rows, geometry.content.y, geometry.content.height);
  for (int y = 0; y < canvas.rows; ++y) {
    if (ys[y].first < 0) continue;
    const float* top = &map[static_cast<size_t>(ys[y].first) * geometry.cols];
    const float* bottom = &map[static_cast<size_t>(ys[y].second) * geometry.cols];
    auto* pixel = canvas.ptr<cv::Vec3b>(y);
    for (int x = 0; x < canvas.cols; ++x, ++pixel) {
      const Sample& sx = xs[x];
      if (sx.first < 0) continue;
      const float upper = std::lerp(top[sx.first], top[sx.second], sx.weight);
      const float lower = std::lerp(bottom[sx.first], bottom[sx.second], sx.weight);
      const float objectness = std::min(std::lerp(upper, lower, ys[y].weight), 1.0F);
      if (!(objectness > kTintThreshold)) continue;
      const float opacity = kTintMaxOpacity * (objectness - kTintThreshold) / (1 - kTintThreshold);
      for (int c = 0; c < 3; ++c) {
        (*pixel)[c] = cv::saturate_cast<uint8_t>(
            std::lerp(static_cast<float>((*pixel)[c]), kTint[c], opacity));
      }
    }
  }
}

cv::Point2d ClampInside(cv::Point2d point, const cv::Mat& canvas, int thickness) {
  const double margin = (thickness - 1) / 2.0;
  return {std::clamp(point.x, std::min(margin, (canvas.cols - 1) / 2.0),
                     std::max(canvas.cols - 1 - margin, (canvas.cols - 1) / 2.0)),
          std::clamp(point.y, std::min(margin, (canvas.rows - 1) / 2.0),
                     std::max(canvas.rows - 1 - margin, (canvas.rows - 1) / 2.0))};
}

cv::Point Subpixel(cv::Point2d point) {
  return {static_cast<int>(std::lround(point.x * (1 << kSubpixelBits))),
          static_cast<int>(std::lround(point.y * (1 << kSubpixelBits)))};
}

using Polygon = std::vector<cv::Point>;

// Mean over a window of the closed line: takes the stairs of the pixels out.
std::vector<cv::Point2d> Smoothed(const Polygon& line, int radius) {
  const int n = static_cast<int>(line.size());
  radius = std::min(radius, (n - 1) / 4);
  std::vector<cv::Point2d> smooth(line.size());
  for (int i = 0; i < n; ++i) {
    cv::Point2d sum(0, 0);
    for (int k = -radius; k <= radius; ++k) sum += cv::Point2d(line[(i + k + n) % n]);
    smooth[i] = sum * (1.0 / (2 * radius + 1));
  }
  return smooth;
}

// Outlines of a patch mask in subpixel coordinates of the image.
std::vector<Polygon> PatchOutlines(const cv::Mat& mask, const Geometry& geometry,
                                   const cv::Mat& canvas, int thickness) {
  const int scale = std::clamp(kOutlineCanvas / std::max(mask.rows, mask.cols), 4, 48);
  cv::Mat large;
  cv::resize(mask, large, cv::Size(), scale, scale, cv::INTER_NEAREST);
  // Blurred twice by half a patch and cut at the half: corners become round, straight edges stay.
  for (int pass = 0; pass < 2; ++pass) {
    cv::blur(large, large, cv::Size(scale / 2 | 1, scale / 2 | 1), cv::Point(-1, -1),
             cv::BORDER_REPLICATE);
  }
  cv::threshold(large, large, 127, 255, cv::THRESH_BINARY);
  std::vector<Polygon> contours;
  cv::findContours(large, contours, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  const double x_scale = geometry.content.width / large.cols;
  const double y_scale = geometry.content.height / large.rows;
  for (Polygon& contour : contours) {
    const auto smooth = Smoothed(contour, scale / 4);
    for (size_t i = 0; i < smooth.size(); ++i) {
      const cv::Point2d at((smooth[i].x + 0.5) * x_scale + geometry.content.x - 0.5,
                           (smooth[i].y + 0.5) * y_scale + geometry.content.y - 0.5);
      contour[i] = Subpixel(ClampInside(at, canvas, thickness));
    }
  }
  return contours;
}

// Outlines of a pixel mask in subpixel coordinates of the image.
std::vector<Polygon> PixelOutlines(const cv::Mat& mask, const cv::Mat& canvas, int thickness) {
  std::vector<Polygon> contours;
  cv::findContours(mask, contours, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  for (Polygon& contour : contours) {
    const auto smooth = Smoothed(contour, thickness);
    for (size_t i = 0; i < smooth.size(); ++i) {
      contour[i] = Subpixel(ClampInside(smooth[i], canvas, thickness));
    }
  }
  return contours;
}

// Of the pixel mask where there is one, else of the patch mask.
absl::StatusOr<std::vector<Polygon>> OutlinesOf(const v1::GroundedObject& object,
                                                const Geometry& geometry, const cv::Mat& canvas,
                                                int thickness) {
  if (!object.has_pixel_mask() && !object.has_mask()) return std::vector<Polygon>();
  const ImageSize size = object.has_pixel_mask() ? ImageSize{canvas.rows, canvas.cols}
                                                 : ImageSize{geometry.rows, geometry.cols};
  OBJECTDINO_ASSIGN_OR_RETURN(
      const std::vector<uint8_t> values,
      DecodeMask(object.has_pixel_mask() ? object.pixel_mask() : object.mask(), size));
  const cv::Mat mask = cv::Mat(values, false).reshape(1, size.height) * 255;
  return object.has_pixel_mask() ? PixelOutlines(mask, canvas, thickness)
                                 : PatchOutlines(mask, geometry, canvas, thickness);
}

void DrawBox(const v1::Box& box, const cv::Scalar& colour, int thickness, cv::Mat& canvas) {
  // The line lies on the box's outermost pixels: half open, hence the -1.
  const cv::Point2d first = ClampInside({box.x1(), box.y1()}, canvas, thickness);
  const cv::Point2d last = ClampInside({box.x2() - 1.0, box.y2() - 1.0}, canvas, thickness);
  cv::rectangle(canvas, cv::Point(cvFloor(first.x), cvFloor(first.y)),
                cv::Point(cvCeil(last.x), cvCeil(last.y)), colour, thickness);
}

void DrawAnchor(const v1::Point& anchor, const cv::Scalar& colour, const Pen& pen,
                cv::Mat& canvas) {
  const int radius = 2 * pen.line + 1;
  const cv::Point at = Subpixel({anchor.x() - 0.5, anchor.y() - 0.5});
  cv::circle(canvas, at, (radius + std::max(1, pen.line / 2)) << kSubpixelBits, cv::Scalar::all(0),
             cv::FILLED, cv::LINE_AA, kSubpixelBits);
  cv::circle(canvas, at, radius << kSubpixelBits, colour, cv::FILLED, cv::LINE_AA, kSubpixelBits);
}

absl::Status Draw(const v1::GroundResponse& response, cv::Mat& canvas) {
  OBJECTDINO_ASSIGN_OR_RETURN(const Geometry geometry, GeometryOf(response.grid(), canvas));
  const Pen pen = PenFor(canvas);
  if (response.has_objectness()) {
    OBJECTDINO_ASSIGN_OR_RETURN(const std::vector<float> map,
                                ObjectnessMap(response.objectness(), geometry));
    Tint(map, geometry, canvas);
  }
  for (const v1::GroundedObject& object : response.objects()) {
    if (!IsBox(object.box(), canvas) || !IsWithin(object.anchor().x(), canvas.cols) ||
        !IsWithin(object.anchor().y(), canvas.rows)) {
      return absl::InvalidArgumentError(
          absl::StrCat("object ", object.index() + 1, " has a box or anchor off the image"));
    }
    const cv::Scalar colour = ColourOf(object.index());
    OBJECTDINO_ASSIGN_OR_RETURN(const std::vector<Polygon> outlines,
                                OutlinesOf(object, geometry, canvas, pen.line));
    cv::polylines(canvas, outlines, true, colour, pen.line, cv::LINE_AA, kSubpixelBits);
    DrawBox(object.box(), colour, pen.line, canvas);
    if (object.has_anchor()) DrawAnchor(object.anchor(), colour, pen, canvas);
  }
  LabelWriter labels(canvas, pen);
  for (const v1::GroundedObject& object : response.objects()) {
    const v1::Box& box = object.box();
    labels.Write(absl::StrFormat("#%d %.2f", object.index() + 1, object.score()),
                 cv::Rect(cv::Point(cvFloor(box.x1()), cvFloor(box.y1())),
                          cv::Point(cvCeil(box.x2()), cvCeil(box.y2()))),
                 ColourOf(object.index()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Image> DrawOverlay(const Image& image, const v1::GroundResponse& response) {
  if (response.image().height() != static_cast<uint32_t>(image.height) ||
      response.image().width() != static_cast<uint32_t>(image.width)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the image is %dx%d (height x width), the answer is about one of %dx%d", image.height,
        image.width, response.image().height(), response.image().width()));
  }
  Image overlay = image;
  try {
    cv::Mat canvas(overlay.height, overlay.width, CV_8UC3, overlay.rgb.data());
    OBJECTDINO_RETURN_IF_ERROR(Draw(response, canvas));
  } catch (const cv::Exception& e) {
    return absl::InternalError(absl::StrCat("the overlay cannot be drawn: ", e.err));
  }
  return overlay;
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  try {
    // OpenCV takes a const image through a non-const pointer; it is only read.
    const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.rgb.data()));
    cv::Mat bgr;
    cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
    std::vector<uint8_t> png;
    if (!cv::imencode(".png", bgr, png)) return absl::InternalError("the PNG encoder failed");
    return std::string(png.begin(), png.end());
  } catch (const cv::Exception& e) {
    return absl::InternalError(absl::StrCat("the PNG encoder failed: ", e.err));
  }
}

}  // namespace objectdino
