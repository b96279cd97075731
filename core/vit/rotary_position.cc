// SPDX-License-Identifier: Apache-2.0
#include "core/vit/rotary_position.h"

#include <numbers>

#include "ATen/TensorOperators.h"
#include "ATen/ops/addcmul.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/pow.h"
#include "ATen/ops/roll.h"
#include "ATen/ops/zeros.h"

namespace objectdino {
namespace {

// Angles of the centres of `count` patches along one axis: [count, d/4].
at::Tensor AxisAngles(int64_t count, const at::Tensor& periods) {
  const at::Tensor centres = at::arange(count, periods.options())  // [count]
                                 .add_(0.5)
                                 .div_(static_cast<double>(count))
                                 .mul_(2)
                                 .sub_(1);
  return (2 * std::numbers::pi * centres).unsqueeze(1) / periods;
}

}  // namespace

at::Tensor Rotation::Apply(const at::Tensor& x) const {
  if (!cos.defined()) return x;
  // (a, b) cos + (b, a) (-sin, sin)
  return at::addcmul(x * cos, at::roll(x, x.size(-1) / 2, -1), sin);
}

at::Tensor RotaryPeriods(double theta, int64_t head_dim) {
  const int64_t count = head_dim / 4;
  return at::pow(theta, at::arange(count, at::kFloat).div_(static_cast<double>(count)));
}

RotaryPosition::RotaryPosition(const at::Tensor& periods, int64_t prefix_tokens, at::Device device)
    : periods_(periods.to(device)), prefix_tokens_(prefix_tokens) {}

Rotation RotaryPosition::For(int64_t rows, int64_t cols) const {
  return cache_.Get(rows, cols, [this](int64_t r, int64_t c) { return Make(r, c); });
}

Rotation RotaryPosition::Make(int64_t rows, int64_t cols) const {
  const int64_t quarter = periods_.size(0);  // d/4
  const at::Tensor y =
      AxisAngles(rows, periods_).unsqueeze(1).expand({rows, cols, quarter});  // [rows, cols, d/4]
  const at::Tensor x =
      AxisAngles(cols, periods_).unsqueeze(0).expand({rows, cols, quarter});  // [rows, cols, d/4]
  const at::Tensor patches = at::cat({y, x}, 2).flatten(0, 1);                // [N, d/2]
  const at::Tensor prefix = at::zeros({prefix_tokens_, 2 * quarter}, patches.options());
  const at::Tensor angles = at::cat({prefix, patches})  // [T, d/2]
                                .unsqueeze(1)
                                .unsqueeze(1);  // [T, 1, 1, d/2]
  const at::Tensor cos = angles.cos();
  const at::Tensor sin = angles.sin();
  return {.cos = at::cat({cos, cos}, 3), .sin = at::cat({-sin, sin}, 3)};
}

}  // namespace objectdino
