// SPDX-License-Identifier: Apache-2.0
#include "core/vit/learned_position.h"

#include <array>
#include <cmath>

#include "ATen/ops/_upsample_bicubic2d_aa.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/upsample_bicubic2d.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// The originals scale by (size + 0.1) / M, so that rounding cannot lose a row, and sample at the
// places that this scale gives instead of those of the exact size.
constexpr double kOffset = 0.1;

// grid [1, D, M, M] -> [1, D, rows, cols].
at::Tensor Resize(const at::Tensor& grid, PositionRule rule, int64_t rows, int64_t cols) {
  const std::array<int64_t, 2> size = {rows, cols};
  const auto side = static_cast<double>(grid.size(2));
  switch (rule) {
    case PositionRule::kLearnedOffset:
      return at::upsample_bicubic2d(grid, size, /*align_corners=*/false,
                                    (static_cast<double>(rows) + kOffset) / side,
                                    (static_cast<double>(cols) + kOffset) / side);
    case PositionRule::kLearnedSize:
      return at::upsample_bicubic2d(grid, size, /*align_corners=*/false);
    case PositionRule::kLearnedSizeAntialias:
      return at::_upsample_bicubic2d_aa(grid, size, /*align_corners=*/false);
    case PositionRule::kRope:
      break;
  }
  OBJECTDINO_CHECK(false);
  return {};
}

}  // namespace

LearnedPosition::LearnedPosition(const at::Tensor& table, PositionRule rule, at::Device device)
    : table_(table.to(device)),
      side_(std::lround(std::sqrt(static_cast<double>(table.size(1) - 1)))),
      rule_(rule) {}

at::Tensor LearnedPosition::For(int64_t rows, int64_t cols) const {
  if (rows == side_ && cols == side_) return table_;
  return cache_.Get(rows, cols, [this](int64_t r, int64_t c) { return Interpolate(r, c); });
}

at::Tensor LearnedPosition::Interpolate(int64_t rows, int64_t cols) const {
  const int64_t width = table_.size(2);
  const at::Tensor cls = table_.narrow(1, 0, 1);  // [1, 1, D]
  const at::Tensor grid = table_
                              .narrow(1, 1, side_ * side_)           // [1, M * M, D]
                              .reshape({1, side_, side_, width})     // [1, M, M, D]
                              .permute({0, 3, 1, 2});                // [1, D, M, M]
  const at::Tensor patches = Resize(grid, rule_, rows, cols)         // [1, D, rows, cols]
                                 .permute({0, 2, 3, 1})              // [1, rows, cols, D]
                                 .reshape({1, rows * cols, width});  // [1, N, D]
  return at::cat({cls, patches}, 1);                                 // [1, 1 + N, D]
}

}  // namespace objectdino
