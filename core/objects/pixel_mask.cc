// SPDX-License-Identifier: Apache-2.0
#include "core/objects/pixel_mask.h"

#include <cstddef>

namespace objectdino {
namespace {

// For an axis of `pixels` and `patches`: the patch that each pixel's centre falls in, exactly:
// floor((i + 0.5) * patches / pixels).
std::vector<size_t> PatchOfPixel(int pixels, int patches) {
  std::vector<size_t> result(static_cast<size_t>(pixels));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = (2 * i + 1) * static_cast<size_t>(patches) / (2 * static_cast<size_t>(pixels));
  }
  return result;
}

}  // namespace

std::vector<uint8_t> UpsampleMask(absl::Span<const uint8_t> mask, const PatchGrid& grid,
                                  ImageSize image) {
  const std::vector<size_t> row_of = PatchOfPixel(image.height, grid.rows);
  const std::vector<size_t> col_of = PatchOfPixel(image.width, grid.cols);
  std::vector<uint8_t> pixels(row_of.size() * col_of.size());
  uint8_t* out = pixels.data();
  for (const size_t row : row_of) {
    const uint8_t* patches = mask.data() + row * static_cast<size_t>(grid.cols);
    for (const size_t col : col_of) *out++ = patches[col];
  }
  return pixels;
}

}  // namespace objectdino
