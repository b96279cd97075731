// SPDX-License-Identifier: Apache-2.0
// One transformer block, pre-norm: x += attention(norm1(x)); x += feed_forward(norm2(x)).
//
// Layer scale does not appear: where a family has one, it is folded into the last linear layer of
// each branch when the weights are loaded. Thread-safety: immutable after construction.
#ifndef OBJECTDINO_CORE_VIT_BLOCK_H_
#define OBJECTDINO_CORE_VIT_BLOCK_H_

#include "ATen/core/Tensor.h"

#include "core/vit/attention.h"
#include "core/vit/feed_forward.h"
#include "core/vit/layer_norm.h"

namespace objectdino {

class Block {
 public:
  Block(LayerNorm norm1, Attention attention, LayerNorm norm2, FeedForward feed_forward);

  // x [B, T, D] -> the block's output and the queries, keys and values of its attention.
  AttentionOutput Forward(const at::Tensor& x, const Rotation& rotation = {}) const;

 private:
  LayerNorm norm1_;
  Attention attention_;
  LayerNorm norm2_;
  FeedForward feed_forward_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_BLOCK_H_
