// SPDX-License-Identifier: Apache-2.0
#include "core/objects/guided_filter.h"

#include <cstddef>
#include <utility>

#include "opencv2/core.hpp"
#include "opencv2/imgproc.hpp"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

using Colour = cv::Vec3d;
using Moments = cv::Vec<double, 9>;    // r, g, b, rr, rg, rb, gg, gb, bb
using Symmetric = cv::Vec<double, 6>;  // 3 x 3, upper triangle by rows

// Mean over the window of every pixel.
template <typename T>
void Average(cv::Mat_<T>& values, GuidedFilter::Radius radius) {
  cv::boxFilter(values, values, -1, cv::Size(2 * radius.cols + 1, 2 * radius.rows + 1),
                cv::Point(-1, -1), /*normalize=*/true, cv::BORDER_REFLECT);
}

Moments MomentsOf(const Colour& c) {
  return {c[0],        c[1],        c[2],        c[0] * c[0], c[0] * c[1],
          c[0] * c[2], c[1] * c[1], c[1] * c[2], c[2] * c[2]};
}

// Of the colours' covariance plus the ridge, by cofactors.
Symmetric InverseCovariance(const Moments& m) {
  const double rr = m[3] - m[0] * m[0] + kGuidedFilterRidge;
  const double rg = m[4] - m[0] * m[1];
  const double rb = m[5] - m[0] * m[2];
  const double gg = m[6] - m[1] * m[1] + kGuidedFilterRidge;
  const double gb = m[7] - m[1] * m[2];
  const double bb = m[8] - m[2] * m[2] + kGuidedFilterRidge;
  const Symmetric cofactors = {gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg,
                               rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg};
  return cofactors * (1 / (rr * cofactors[0] + rg * cofactors[1] + rb * cofactors[2]));
}

Colour Multiply(const Symmetric& s, const Colour& v) {
  return {s[0] * v[0] + s[1] * v[1] + s[2] * v[2],  //
          s[1] * v[0] + s[3] * v[1] + s[4] * v[2],  //
          s[2] * v[0] + s[4] * v[1] + s[5] * v[2]};
}

}  // namespace

struct GuidedFilter::Windows {
  Radius radius;
  cv::Mat_<Colour> colours;     // [height, width]
  cv::Mat_<Colour> means;       // of the window around each pixel
  cv::Mat_<Symmetric> inverse;  // of its covariance plus the ridge
};

GuidedFilter::GuidedFilter(absl::Span<const uint8_t> rgb, ImageSize image, Radius radius) {
  OBJECTDINO_CHECK(image.height > 0 && image.width > 0 && radius.rows >= 0 && radius.cols >= 0 &&
                   rgb.size() == static_cast<size_t>(image.height) * image.width * 3);
  auto windows = std::make_unique<Windows>();
  windows->radius = radius;
  windows->colours.create(image.height, image.width);
  windows->means.create(image.height, image.width);
  windows->inverse.create(image.height, image.width);
  cv::Mat_<Moments> moments(image.height, image.width);
  const uint8_t* byte = rgb.data();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x, byte += 3) {
      const Colour colour = Colour(byte[0], byte[1], byte[2]) / 255.0;
      windows->colours(y, x) = colour;
      moments(y, x) = MomentsOf(colour);
    }
  }
  Average(moments, radius);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const Moments& m = moments(y, x);
      windows->means(y, x) = {m[0], m[1], m[2]};
      windows->inverse(y, x) = InverseCovariance(m);
    }
  }
  windows_ = std::move(windows);
}

GuidedFilter::~GuidedFilter() = default;
GuidedFilter::GuidedFilter(GuidedFilter&&) noexcept = default;

std::vector<float> GuidedFilter::Apply(absl::Span<const float> map) const {
  const Windows& w = *windows_;
  const int height = w.colours.rows;
  const int width = w.colours.cols;
  OBJECTDINO_CHECK(map.size() == static_cast<size_t>(height) * width);
  cv::Mat_<cv::Vec4d> fit(height, width);  // the map times (r, g, b, 1), then (slope, offset)
  const float* value = map.data();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x, ++value) {
      const Colour& c = w.colours(y, x);
      fit(y, x) = cv::Vec4d(c[0], c[1], c[2], 1) * double{*value};
    }
  }
  Average(fit, w.radius);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      cv::Vec4d& f = fit(y, x);
      const Colour covariance = Colour(f[0], f[1], f[2]) - w.means(y, x) * f[3];
      const Colour slope = Multiply(w.inverse(y, x), covariance);
      f = {slope[0], slope[1], slope[2], f[3] - slope.dot(w.means(y, x))};
    }
  }
  Average(fit, w.radius);
  std::vector<float> result;
  result.reserve(map.size());
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const cv::Vec4d& f = fit(y, x);
      const Colour& c = w.colours(y, x);
      result.push_back(static_cast<float>(f[0] * c[0] + f[1] * c[1] + f[2] * c[2] + f[3]));
    }
  }
  return result;
}

}  // namespace objectdino
