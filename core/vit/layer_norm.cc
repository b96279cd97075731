// SPDX-License-Identifier: Apache-2.0
#include "core/vit/layer_norm.h"

#include "ATen/ops/layer_norm.h"

namespace objectdino {

LayerNorm::LayerNorm(const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                     at::Device device)
    : weight_(weight.to(device)), bias_(bias.to(device)), epsilon_(epsilon) {}

at::Tensor LayerNorm::Forward(const at::Tensor& x) const {
  return at::layer_norm(x, weight_.sizes(), weight_, bias_, epsilon_);
}

}  // namespace objectdino
