// SPDX-License-Identifier: Apache-2.0
#include "core/heads/affinity.h"

#include "ATen/ATen.h"

#include "core/base/status_macros.h"
#include "core/heads/similarity.h"
#include "core/heads/to_vector.h"

namespace objectdino {
namespace {

at::Tensor Keys(const LayerTap& tap, int prefix_tokens) {
  return tap.qkv[0].slice(0, prefix_tokens).select(1, 1).flatten(1);  // [N, D]
}

}  // namespace

std::vector<float> HeadAffinity(absl::Span<const at::Tensor> unit_patches,
                                absl::Span<const HeadRef> heads) {
  OBJECTDINO_CHECK(!heads.empty());
  std::vector<at::Tensor> left;
  std::vector<at::Tensor> right;
  for (const HeadRef& ref : heads) {
    const at::Tensor unit = unit_patches[ref.layer].select(2, ref.head);  // [N, R, d]
    const at::Tensor c = unit.reshape({unit.size(0), -1}).contiguous();   // [N, R d]
    left.push_back(at::mm(c, at::mm(c.t(), c)));                          // [N, R d]
    right.push_back(c);
  }
  // The factor 1/R^2 of S_h^2 cancels in the cosine.
  const at::Tensor gram = at::mm(at::cat(left, 1), at::cat(right, 1).t());  // [N, N]
  const at::Tensor scale = gram.diagonal().clamp_min(1e-24).rsqrt();        // [N]
  return ToVector(gram * scale.unsqueeze(0) * scale.unsqueeze(1));
}

std::vector<float> KeyAffinity(const LayerTap& tap, int prefix_tokens) {
  const at::Tensor unit = UnitVectors(Keys(tap, prefix_tokens));  // [N, D]
  return ToVector(at::mm(unit, unit.t()));
}

std::vector<float> KeyProducts(const LayerTap& tap, int prefix_tokens) {
  const at::Tensor keys = Keys(tap, prefix_tokens);  // [N, D]
  return ToVector(at::mm(keys, keys.t()));
}

}  // namespace objectdino
