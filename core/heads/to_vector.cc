// SPDX-License-Identifier: Apache-2.0
#include "core/heads/to_vector.h"

#include "ATen/ATen.h"

namespace objectdino {

std::vector<float> ToVector(const at::Tensor& tensor) {
  const at::Tensor cpu = tensor.to(at::kCPU, at::kFloat).contiguous();
  const float* data = cpu.const_data_ptr<float>();
  return std::vector<float>(data, data + cpu.numel());
}

}  // namespace objectdino
