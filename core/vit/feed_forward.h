// SPDX-License-Identifier: Apache-2.0
// The feed-forward network of a block, plain (GELU) or gated (SwiGLU).
//
// Thread-safety: immutable after construction.
#ifndef OBJECTDINO_CORE_VIT_FEED_FORWARD_H_
#define OBJECTDINO_CORE_VIT_FEED_FORWARD_H_

#include "ATen/core/Tensor.h"

#include "core/vit/linear.h"

namespace objectdino {

class FeedForward {
 public:
  // Plain: in D -> h, out h -> D. Gated: in D -> 2 h, of which the first half passes SiLU and
  // multiplies the second.
  FeedForward(Linear in, Linear out, bool gated);

  // residual + output; x and residual [B, T, D].
  at::Tensor Forward(const at::Tensor& x, const at::Tensor& residual) const;

 private:
  Linear in_;
  Linear out_;
  bool gated_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_FEED_FORWARD_H_
