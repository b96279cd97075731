// SPDX-License-Identifier: Apache-2.0
#include "core/vit/block.h"

#include <utility>

namespace objectdino {

Block::Block(LayerNorm norm1, Attention attention, LayerNorm norm2, FeedForward feed_forward)
    : norm1_(std::move(norm1)),
      attention_(std::move(attention)),
      norm2_(std::move(norm2)),
      feed_forward_(std::move(feed_forward)) {}

AttentionOutput Block::Forward(const at::Tensor& x, const Rotation& rotation) const {
  AttentionOutput attended = attention_.Forward(norm1_.Forward(x), x, rotation);
  attended.sum = feed_forward_.Forward(norm2_.Forward(attended.sum), attended.sum);
  return attended;
}

}  // namespace objectdino
