// SPDX-License-Identifier: Apache-2.0
// Multi-head self-attention, with queries and keys turned by a rotation where there is one.
// Thread-safety: immutable after construction. Cost: O(T D^2 + T^2 D).
#ifndef OBJECTDINO_CORE_VIT_ATTENTION_H_
#define OBJECTDINO_CORE_VIT_ATTENTION_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

#include "core/vit/linear.h"
#include "core/vit/rotary_position.h"

namespace objectdino {

struct AttentionOutput {
  at::Tensor sum;  // [B, T, D]: residual + output
  at::Tensor qkv;  // [B, T, 3, H, d]: queries, keys, values; before the rotation
};

class Attention {
 public:
  // qkv: D -> 3 D, queries first, then keys, then values. output: D -> D.
  Attention(Linear qkv, Linear output, int64_t heads);

  // x and residual [B, T, D]; `rotation` of T tokens, or a default one.
  AttentionOutput Forward(const at::Tensor& x, const at::Tensor& residual,
                          const Rotation& rotation = {}) const;

 private:
  Linear qkv_;
  Linear output_;
  int64_t heads_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_ATTENTION_H_
