// SPDX-License-Identifier: Apache-2.0
// Learned positions, interpolated from the grid of training to the grid of the image.
//
// Bicubic by one of three rules, which differ everywhere but on the grid of training (backbones.md
// 3.3). Thread-safety: For may run concurrently. Cost: one interpolation for a grid not among the
// last few.
#ifndef OBJECTDINO_CORE_VIT_LEARNED_POSITION_H_
#define OBJECTDINO_CORE_VIT_LEARNED_POSITION_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "c10/core/Device.h"

#include "core/vit/grid_cache.h"
#include "core/weights/model_config.h"

namespace objectdino {

class LearnedPosition {
 public:
  // table [1, 1 + M * M, D] on the CPU: first the CLS token's position, then the patches'
  // row-major. REQUIRES: a rule of the learned ones.
  LearnedPosition(const at::Tensor& table, PositionRule rule, at::Device device);

  // [1, 1 + rows * cols, D].
  at::Tensor For(int64_t rows, int64_t cols) const;

 private:
  at::Tensor Interpolate(int64_t rows, int64_t cols) const;

  at::Tensor table_;  // [1, 1 + M * M, D]
  int64_t side_;      // M
  PositionRule rule_;
  GridCache<at::Tensor> cache_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_LEARNED_POSITION_H_
