// SPDX-License-Identifier: Apache-2.0
// Rotary positions: queries and keys of the patches are turned by angles that their places give
// (backbones.md 3.3).
//
// Letters: T tokens, P prefix tokens, d head dimension. A place is the patch's centre, each axis
// scaled to [-1, 1] by itself, so that any grid will do. Prefix tokens have no place and are not
// turned. Thread-safety: immutable after construction; For may run concurrently. Cost: T d sines
// for a grid not among the last few.
#ifndef OBJECTDINO_CORE_VIT_ROTARY_POSITION_H_
#define OBJECTDINO_CORE_VIT_ROTARY_POSITION_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "c10/core/Device.h"

#include "core/vit/grid_cache.h"

namespace objectdino {

// Turns the pair (x[i], x[i + d/2]) of a token by its i-th angle. A default one leaves x alone.
struct Rotation {
  at::Tensor cos;  // [T, 1, 1, d]
  at::Tensor sin;  // [T, 1, 1, d], the first half negated

  // [..., T, R, H, d] -> the same shape.
  at::Tensor Apply(const at::Tensor& x) const;
};

// theta^(i / (d/4)) for i = 0 .. d/4 - 1, fp32. REQUIRES: d is a multiple of 4.
at::Tensor RotaryPeriods(double theta, int64_t head_dim);

class RotaryPosition {
 public:
  // periods [d/4] on the CPU: of the angles of either axis, in units of half the image.
  RotaryPosition(const at::Tensor& periods, int64_t prefix_tokens, at::Device device);

  // Of P prefix tokens and rows * cols patches, row-major.
  Rotation For(int64_t rows, int64_t cols) const;

 private:
  Rotation Make(int64_t rows, int64_t cols) const;

  at::Tensor periods_;  // [d/4]
  int64_t prefix_tokens_;
  GridCache<Rotation> cache_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_ROTARY_POSITION_H_
