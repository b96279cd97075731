// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/objects/region_check and footprint: areas in pixels, patch by patch; masks
// pixel by pixel.
#ifndef OBJECTDINO_TESTS_REFERENCE_REGION_CHECK_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_REGION_CHECK_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/patch_grid.h"
#include "core/objects/region_check.h"

namespace objectdino::reference {

struct Span1d {
  double low = 0;
  double high = 0;
};

inline double Overlap(const Span1d& a, const Span1d& b) {
  return std::max(0.0, std::min(a.high, b.high) - std::max(a.low, b.low));
}

// Pixels^2 of patch i that the box (x1, y1, x2, y2) covers.
inline double PatchArea(int i, const PatchGrid& grid, ImageSize image, const Span1d& x,
                        const Span1d& y) {
  const double width = static_cast<double>(image.width) / grid.cols;
  const double height = static_cast<double>(image.height) / grid.rows;
  return Overlap({i % grid.cols * width, (i % grid.cols + 1) * width}, x) *
         Overlap({i / grid.cols * height, (i / grid.cols + 1) * height}, y);
}

// `inside`: pixels^2 of each patch that the region covers; `bounds`: the region's box.
inline RegionReading Read(const std::vector<float>& objectness, const std::vector<float>& attention,
                          const PatchGrid& grid, ImageSize image, const Box& bounds,
                          const std::function<double(int)>& inside) {
  std::vector<double> log_attention;
  for (const float share : attention) log_attention.push_back(std::log(share + 1e-9));
  const double low = *std::min_element(log_attention.begin(), log_attention.end());
  const double high = *std::max_element(log_attention.begin(), log_attention.end());

  const double width = double{bounds.x2} - bounds.x1;
  const double height = double{bounds.y2} - bounds.y1;
  const Span1d ring_x = {bounds.x1 - 0.3 * width, bounds.x2 + 0.3 * width};
  const Span1d ring_y = {bounds.y1 - 0.3 * height, bounds.y2 + 0.3 * height};
  // Areas in pixels, and integrals over them of n and l.
  double in = 0, in_n = 0, in_l = 0;
  double ring = 0, ring_n = 0;
  double out = 0, out_l = 0;
  double all_n = 0;
  for (int i = 0; i < grid.size(); ++i) {
    const double n = objectness[i];
    const double l = (log_attention[i] - low) / std::max(high - low, 1e-12);
    const double whole = static_cast<double>(image.width) * image.height / grid.size();
    const double covered = inside(i);
    const double around = PatchArea(i, grid, image, ring_x, ring_y) - covered;
    in += covered;
    in_n += covered * n;
    in_l += covered * l;
    ring += around;
    ring_n += around * n;
    out += whole - covered;
    out_l += (whole - covered) * l;
    all_n += n;
  }
  const auto mean = [](double sum, double area) { return area > 1e-6 ? sum / area : 0; };
  return {mean(in_n, in), ring > 1e-6 ? ring_n / ring : all_n / grid.size(), mean(in_l, in),
          mean(out_l, out)};
}

inline RegionReading ReadBox(const std::vector<float>& objectness,
                             const std::vector<float>& attention, const PatchGrid& grid,
                             ImageSize image, const Box& box) {
  return Read(objectness, attention, grid, image, box, [&](int i) {
    return PatchArea(i, grid, image, {box.x1, box.x2}, {box.y1, box.y2});
  });
}

// `mask` is [height, width], with a pixel at least.
inline RegionReading ReadMask(const std::vector<float>& objectness,
                              const std::vector<float>& attention, const PatchGrid& grid,
                              ImageSize image, const std::vector<uint8_t>& mask) {
  std::vector<double> areas(static_cast<size_t>(grid.size()));
  Box bounds{static_cast<float>(image.width), static_cast<float>(image.height), 0, 0};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if (mask[static_cast<size_t>(y) * image.width + x] == 0) continue;
      const Span1d across = {static_cast<double>(x), x + 1.0};
      const Span1d down = {static_cast<double>(y), y + 1.0};
      for (int i = 0; i < grid.size(); ++i) areas[i] += PatchArea(i, grid, image, across, down);
      bounds = {std::min(bounds.x1, static_cast<float>(x)),
                std::min(bounds.y1, static_cast<float>(y)),
                std::max(bounds.x2, static_cast<float>(x + 1)),
                std::max(bounds.y2, static_cast<float>(y + 1))};
    }
  }
  return Read(objectness, attention, grid, image, bounds, [&](int i) { return areas[i]; });
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_REGION_CHECK_REFERENCE_H_
