// SPDX-License-Identifier: Apache-2.0
// Cuts an image into patches and projects each one: a convolution whose stride is its kernel.
//
// Done as one matrix product: as fast as the convolution on the CPU, and free of its reduced
// precision on GPUs. Thread-safety: immutable after construction.
#ifndef OBJECTDINO_CORE_VIT_PATCH_EMBED_H_
#define OBJECTDINO_CORE_VIT_PATCH_EMBED_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "c10/core/Device.h"

#include "core/vit/linear.h"

namespace objectdino {

class PatchEmbed {
 public:
  // weight [D, 3, p, p] and bias [D] of the convolution.
  PatchEmbed(const at::Tensor& weight, const at::Tensor& bias, at::Device device);

  // image [B, 3, rows * p, cols * p] -> [B, N, D] with N = rows * cols, row-major.
  at::Tensor Forward(const at::Tensor& image) const;

 private:
  int64_t patch_size_;
  Linear projection_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_PATCH_EMBED_H_
