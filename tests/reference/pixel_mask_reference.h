// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/objects/pixel_mask for images that need no shrinking.
#ifndef OBJECTDINO_TESTS_REFERENCE_PIXEL_MASK_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_PIXEL_MASK_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/base/patch_grid.h"
#include "tests/reference/guided_filter_reference.h"
#include "tests/reference/regions_reference.h"

namespace objectdino::reference {

// The patch that holds the centre of pixel (y, x).
inline int PatchAt(int y, int x, const PatchGrid& grid, ImageSize image) {
  const int row = static_cast<int>(std::floor((y + 0.5) * grid.rows / image.height));
  const int col = static_cast<int>(std::floor((x + 0.5) * grid.cols / image.width));
  return row * grid.cols + col;
}

// A patch of `mask` is at most one row and one column away.
inline bool IsNear(const Mask& mask, int patch, const PatchGrid& grid) {
  for (int other = 0; other < grid.size(); ++other) {
    if (mask[other] != 0 && std::abs(other / grid.cols - patch / grid.cols) <= 1 &&
        std::abs(other % grid.cols - patch % grid.cols) <= 1) {
      return true;
    }
  }
  return false;
}

// Pieces of `value` below `area` change sides; of the inside, the first largest stays.
inline void FlipSmallPieces(uint8_t value, double area, const PatchGrid& pixels, Mask& mask) {
  Mask of_value(mask.size());
  for (size_t i = 0; i < mask.size(); ++i) of_value[i] = mask[i] == value ? 1 : 0;
  const auto size = [](const Mask& piece) { return std::count(piece.begin(), piece.end(), 1); };
  const std::vector<Mask> pieces = Components(of_value, pixels);
  const auto largest =
      std::max_element(pieces.begin(), pieces.end(),
                       [&](const Mask& a, const Mask& b) { return size(a) < size(b); });
  for (auto piece = pieces.begin(); piece != pieces.end(); ++piece) {
    if ((value == 1 && piece == largest) || static_cast<double>(size(*piece)) >= area) continue;
    for (size_t i = 0; i < mask.size(); ++i) {
      if ((*piece)[i] != 0) mask[i] = 1 - value;
    }
  }
}

inline Mask EdgeAwareMask(const std::vector<uint8_t>& rgb, ImageSize image, const Mask& object,
                          const Mask& others, const PatchGrid& grid) {
  const int pixels = image.height * image.width;
  Mask exact(pixels);
  Mask allowed(pixels);
  for (int i = 0; i < pixels; ++i) {
    const int patch = PatchAt(i / image.width, i % image.width, grid, image);
    exact[i] = object[patch];
    allowed[i] =
        object[patch] != 0 || (IsNear(object, patch, grid) && !IsNear(others, patch, grid));
  }
  const auto smooth =
      GuidedFilter(rgb, image, static_cast<int>(std::lround(1.0 * image.height / grid.rows)),
                   static_cast<int>(std::lround(1.0 * image.width / grid.cols)), 1e-4,
                   std::vector<float>(exact.begin(), exact.end()));
  Mask mask(pixels);
  for (int i = 0; i < pixels; ++i) mask[i] = allowed[i] != 0 && smooth[i] > 0.50001 ? 1 : 0;
  const PatchGrid plane = {image.height, image.width, 1};
  FlipSmallPieces(1, 1.0 * pixels / grid.size(), plane, mask);
  FlipSmallPieces(0, 1.0 * pixels / grid.size(), plane, mask);
  int both = 0;
  int either = 0;
  for (int i = 0; i < pixels; ++i) {
    mask[i] &= allowed[i];
    both += mask[i] & exact[i];
    either += mask[i] | exact[i];
  }
  return 2 * both < either ? exact : mask;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_PIXEL_MASK_REFERENCE_H_
