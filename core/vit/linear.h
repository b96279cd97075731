// SPDX-License-Identifier: Apache-2.0
// y = x W^T + b with the weight packed once for the CPU.
//
// On the CPU the work is done by oneDNN with its own weight layout and with GELU or the residual
// fused into the product. These are private ops of LibTorch, reached through the dispatcher; where
// they are missing, and on other devices, the plain op does the same. Thread-safety: immutable
// after construction. Cost: one product; the unpacked weight is not kept.
#ifndef OBJECTDINO_CORE_VIT_LINEAR_H_
#define OBJECTDINO_CORE_VIT_LINEAR_H_

#include "ATen/core/Tensor.h"
#include "c10/core/Device.h"

namespace objectdino {

class Linear {
 public:
  // weight [out, in] and bias [out], fp32 on the CPU; both are moved to `device`.
  Linear(const at::Tensor& weight, const at::Tensor& bias, at::Device device);

  // [..., in] -> [..., out].
  at::Tensor Forward(const at::Tensor& x) const;
  // gelu(Forward(x)), the exact one with erf.
  at::Tensor ForwardGelu(const at::Tensor& x) const;
  // Forward(x) + residual, residual [..., out] of the same shape.
  at::Tensor ForwardAdd(const at::Tensor& x, const at::Tensor& residual) const;

 private:
  bool packed_ = false;
  at::Tensor weight_;  // [out, in], in oneDNN's layout when packed_
  at::Tensor bias_;    // [out]
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_LINEAR_H_
