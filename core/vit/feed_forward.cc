// SPDX-License-Identifier: Apache-2.0
#include "core/vit/feed_forward.h"

#include <utility>

#include "ATen/ops/silu.h"

namespace objectdino {

FeedForward::FeedForward(Linear in, Linear out, bool gated)
    : in_(std::move(in)), out_(std::move(out)), gated_(gated) {}

at::Tensor FeedForward::Forward(const at::Tensor& x, const at::Tensor& residual) const {
  if (!gated_) return out_.ForwardAdd(in_.ForwardGelu(x), residual);
  const at::Tensor both = in_.Forward(x);  // [B, T, 2 h]
  const int64_t hidden = both.size(2) / 2;
  const at::Tensor gate = at::silu(both.narrow(2, 0, hidden));                 // [B, T, h]
  return out_.ForwardAdd(gate.mul(both.narrow(2, hidden, hidden)), residual);  // [B, T, D]
}

}  // namespace objectdino
