// SPDX-License-Identifier: Apache-2.0
// Learned positions, interpolated from the grid of training to the grid of the image.
//
// Bicubic to the exact size, as Hugging Face's DINOv2 does it; models with registers use
// anti-aliasing as well (backbones.md 3.3). Thread-safety: For may run concurrently. Cost: one
// interpolation for a grid not among the last few.
#ifndef OBJECTDINO_CORE_VIT_LEARNED_POSITION_H_
#define OBJECTDINO_CORE_VIT_LEARNED_POSITION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "ATen/core/Tensor.h"
#include "absl/base/thread_annotations.h"
#include "c10/core/Device.h"

#include "core/base/mutex.h"

namespace objectdino {

class LearnedPosition {
 public:
  // table [1, 1 + M * M, D] on the CPU: first the CLS token's position, then the patches'
  // row-major.
  LearnedPosition(const at::Tensor& table, bool antialias, at::Device device);

  // [1, 1 + rows * cols, D].
  at::Tensor For(int64_t rows, int64_t cols) const;

 private:
  using Grid = std::pair<int64_t, int64_t>;
  at::Tensor Interpolate(Grid grid) const;

  at::Tensor table_;  // [1, 1 + M * M, D]
  int64_t side_;      // M
  bool antialias_;

  mutable Mutex mutex_;
  mutable std::deque<std::pair<Grid, at::Tensor>> cache_ ABSL_GUARDED_BY(mutex_);  // newest last
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_LEARNED_POSITION_H_
