// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/truth_mask.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/status/status.h"

#include "core/math/rle.h"

namespace objectdino {
namespace {

// Where the horizontal line at `y` crosses the outline, ascending.
std::vector<double> Crossings(const Polygon& polygon, double y) {
  std::vector<double> crossings;
  for (size_t i = 0; i < polygon.size(); ++i) {
    const Vertex& a = polygon[i];
    const Vertex& b = polygon[(i + 1) % polygon.size()];
    if ((a.y <= y) == (b.y <= y)) continue;
    crossings.push_back(a.x + (y - a.y) * (double{b.x} - a.x) / (double{b.y} - a.y));
  }
  std::sort(crossings.begin(), crossings.end());
  return crossings;
}

// The first cell, of [0, size], whose centre is not before `at`.
int FirstCell(double at, int size) {
  return static_cast<int>(std::clamp(std::ceil(at - 0.5), 0.0, static_cast<double>(size)));
}

void FillPolygon(const Polygon& polygon, ImageSize image, std::vector<uint8_t>& mask) {
  if (polygon.empty()) return;
  const auto [top, bottom] = std::minmax_element(
      polygon.begin(), polygon.end(), [](const Vertex& a, const Vertex& b) { return a.y < b.y; });
  const int last_row = FirstCell(bottom->y, image.height);
  for (int y = FirstCell(top->y, image.height); y < last_row; ++y) {
    const std::vector<double> crossings = Crossings(polygon, y + 0.5);
    const auto row = mask.begin() + static_cast<std::ptrdiff_t>(y) * image.width;
    for (size_t i = 0; i + 1 < crossings.size(); i += 2) {
      std::fill(row + FirstCell(crossings[i], image.width),
                row + FirstCell(crossings[i + 1], image.width), uint8_t{1});
    }
  }
}

absl::StatusOr<std::vector<uint8_t>> FillRuns(const std::vector<uint32_t>& runs, ImageSize image) {
  const auto height = static_cast<size_t>(image.height);
  const auto width = static_cast<size_t>(image.width);
  std::vector<uint8_t> mask(height * width);
  size_t at = 0;  // counted down the columns
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i] > mask.size() - at) return absl::InvalidArgumentError("the runs leave the image");
    for (uint32_t n = 0; n < runs[i]; ++n, ++at) {
      if (i % 2 == 1) mask[at % height * width + at / height] = 1;
    }
  }
  if (at != mask.size()) return absl::InvalidArgumentError("the runs do not fill the image");
  return mask;
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> RasterizeMask(const TruthMask& mask, ImageSize image) {
  if (!mask.rle.empty()) return DecodeCocoRle(mask.rle, image.height, image.width);
  if (!mask.runs.empty()) return FillRuns(mask.runs, image);
  std::vector<uint8_t> pixels(static_cast<size_t>(image.height) * image.width);
  for (const Polygon& polygon : mask.polygons) FillPolygon(polygon, image, pixels);
  return pixels;
}

double MaskIou(absl::Span<const uint8_t> a, absl::Span<const uint8_t> b) {
  size_t both = 0;
  size_t either = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    both += a[i] != 0 && b[i] != 0 ? 1 : 0;
    either += a[i] != 0 || b[i] != 0 ? 1 : 0;
  }
  return either == 0 ? 0 : static_cast<double>(both) / static_cast<double>(either);
}

}  // namespace objectdino
