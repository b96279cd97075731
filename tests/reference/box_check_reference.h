// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/objects/box_check: areas in pixels, patch by patch.
#ifndef OBJECTDINO_TESTS_REFERENCE_BOX_CHECK_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_BOX_CHECK_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/patch_grid.h"

namespace objectdino::reference {

struct Span1d {
  double low = 0;
  double high = 0;
};

inline double Overlap(const Span1d& a, const Span1d& b) {
  return std::max(0.0, std::min(a.high, b.high) - std::max(a.low, b.low));
}

inline double CheckBox(const std::vector<float>& objectness, const std::vector<float>& attention,
                       const PatchGrid& grid, ImageSize image, const Box& box) {
  std::vector<double> log_attention;
  for (const float share : attention) log_attention.push_back(std::log(share + 1e-9));
  const double low = *std::min_element(log_attention.begin(), log_attention.end());
  const double high = *std::max_element(log_attention.begin(), log_attention.end());

  const double patch_width = static_cast<double>(image.width) / grid.cols;
  const double patch_height = static_cast<double>(image.height) / grid.rows;
  const double width = double{box.x2} - box.x1;
  const double height = double{box.y2} - box.y1;
  // Areas in pixels, and integrals over them of n and l.
  double inside = 0, inside_n = 0, inside_l = 0;
  double ring = 0, ring_n = 0;
  double outside = 0, outside_l = 0;
  double all_n = 0;
  for (int i = 0; i < grid.size(); ++i) {
    const Span1d x = {i % grid.cols * patch_width, (i % grid.cols + 1) * patch_width};
    const Span1d y = {i / grid.cols * patch_height, (i / grid.cols + 1) * patch_height};
    const auto covered = [&](double grow) {
      return Overlap(x, {box.x1 - grow * width, box.x2 + grow * width}) *
             Overlap(y, {box.y1 - grow * height, box.y2 + grow * height});
    };
    const double n = objectness[i];
    const double l = (log_attention[i] - low) / std::max(high - low, 1e-12);
    inside += covered(0);
    inside_n += covered(0) * n;
    inside_l += covered(0) * l;
    ring += covered(0.3) - covered(0);
    ring_n += (covered(0.3) - covered(0)) * n;
    outside += patch_width * patch_height - covered(0);
    outside_l += (patch_width * patch_height - covered(0)) * l;
    all_n += n;
  }
  const auto mean = [](double sum, double area) { return area > 1e-6 ? sum / area : 0; };
  const double around = ring > 1e-6 ? ring_n / ring : all_n / grid.size();
  return mean(inside_n, inside) - around + mean(inside_l, inside) - mean(outside_l, outside);
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_BOX_CHECK_REFERENCE_H_
