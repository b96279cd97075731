// SPDX-License-Identifier: Apache-2.0
// Layer normalisation over the width. Thread-safety: immutable after construction.
#ifndef OBJECTDINO_CORE_VIT_LAYER_NORM_H_
#define OBJECTDINO_CORE_VIT_LAYER_NORM_H_

#include "ATen/core/Tensor.h"
#include "c10/core/Device.h"

namespace objectdino {

class LayerNorm {
 public:
  // weight and bias [D], moved to `device`.
  LayerNorm(const at::Tensor& weight, const at::Tensor& bias, double epsilon, at::Device device);

  // [..., D] -> [..., D].
  at::Tensor Forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_;  // [D]
  at::Tensor bias_;    // [D]
  double epsilon_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_LAYER_NORM_H_
