// SPDX-License-Identifier: Apache-2.0
#include "core/vit/attention.h"

#include <utility>

#include "ATen/ops/scaled_dot_product_attention.h"

namespace objectdino {

Attention::Attention(Linear qkv, Linear output, int64_t heads)
    : qkv_(std::move(qkv)), output_(std::move(output)), heads_(heads) {}

AttentionOutput Attention::Forward(const at::Tensor& x, const at::Tensor& residual,
                                   const Rotation& rotation) const {
  const int64_t batch = x.size(0);
  const int64_t tokens = x.size(1);
  const int64_t width = x.size(2);
  const at::Tensor qkv = qkv_.Forward(x)                                         // [B, T, 3 D]
                             .view({batch, tokens, 3, heads_, width / heads_});  // [B, T, 3, H, d]
  const at::Tensor placed = rotation.Apply(qkv.narrow(2, 0, 2));                 // [B, T, 2, H, d]
  const at::Tensor mixed =
      at::scaled_dot_product_attention(placed.select(2, 0).transpose(1, 2),         // [B, H, T, d]
                                       placed.select(2, 1).transpose(1, 2),         // [B, H, T, d]
                                       qkv.select(2, 2).transpose(1, 2)             // [B, H, T, d]
      );                                                                            // [B, H, T, d]
  const at::Tensor joined = mixed.transpose(1, 2).reshape({batch, tokens, width});  // [B, T, D]
  return {.sum = output_.ForwardAdd(joined, residual), .qkv = qkv};
}

}  // namespace objectdino
