// SPDX-License-Identifier: Apache-2.0
#include "core/vit/patch_embed.h"

namespace objectdino {

PatchEmbed::PatchEmbed(const at::Tensor& weight, const at::Tensor& bias, at::Device device)
    : patch_size_(weight.size(-1)), projection_(weight.flatten(1), bias, device) {}

at::Tensor PatchEmbed::Forward(const at::Tensor& image) const {
  const int64_t p = patch_size_;
  const int64_t batch = image.size(0);
  const int64_t rows = image.size(2) / p;
  const int64_t cols = image.size(3) / p;
  const at::Tensor patches = image
                                 .reshape({batch, 3, rows, p, cols, p})  // [B, 3, rows, p, cols, p]
                                 .permute({0, 2, 4, 1, 3, 5})            // [B, rows, cols, 3, p, p]
                                 .reshape({batch, rows * cols, 3 * p * p});  // [B, N, 3 p p]
  return projection_.Forward(patches);                                       // [B, N, D]
}

}  // namespace objectdino
