// SPDX-License-Identifier: Apache-2.0
#include "core/vit/learned_position.h"

#include <array>
#include <cmath>

#include "ATen/ops/_upsample_bicubic2d_aa.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/upsample_bicubic2d.h"

namespace objectdino {
namespace {

constexpr size_t kCachedGrids = 8;  // of 2 MB each at D = 384 and 1370 tokens

}  // namespace

LearnedPosition::LearnedPosition(const at::Tensor& table, bool antialias, at::Device device)
    : table_(table.to(device)),
      side_(std::lround(std::sqrt(static_cast<double>(table.size(1) - 1)))),
      antialias_(antialias) {}

at::Tensor LearnedPosition::For(int64_t rows, int64_t cols) const {
  if (rows == side_ && cols == side_) return table_;
  const Grid grid{rows, cols};
  {
    const MutexLock lock(mutex_);
    for (const auto& [cached_grid, position] : cache_) {
      if (cached_grid == grid) return position;
    }
  }
  // Unlocked: two threads may compute the same grid, which costs less than one waiting for the
  // other.
  at::Tensor position = Interpolate(grid);
  const MutexLock lock(mutex_);
  cache_.emplace_back(grid, position);
  if (cache_.size() > kCachedGrids) cache_.pop_front();
  return position;
}

at::Tensor LearnedPosition::Interpolate(Grid grid) const {
  const int64_t width = table_.size(2);
  const at::Tensor cls = table_.narrow(1, 0, 1);  // [1, 1, D]
  const at::Tensor patches = table_
                                 .narrow(1, 1, side_ * side_)        // [1, M * M, D]
                                 .reshape({1, side_, side_, width})  // [1, M, M, D]
                                 .permute({0, 3, 1, 2});             // [1, D, M, M]
  const std::array<int64_t, 2> size = {grid.first, grid.second};
  const at::Tensor resized =
      antialias_ ? at::_upsample_bicubic2d_aa(patches, size, /*align_corners=*/false)
                 : at::upsample_bicubic2d(patches, size, /*align_corners=*/false);
  const at::Tensor rows = resized
                              .permute({0, 2, 3, 1})                           // [1, rows, cols, D]
                              .reshape({1, grid.first * grid.second, width});  // [1, N, D]
  return at::cat({cls, rows}, 1);                                              // [1, 1 + N, D]
}

}  // namespace objectdino
