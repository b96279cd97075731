// SPDX-License-Identifier: Apache-2.0
#include "core/heads/cls_attention.h"

#include <algorithm>
#include <cmath>

#include "ATen/ATen.h"

#include "core/base/status_macros.h"
#include "core/heads/to_vector.h"

namespace objectdino {

std::vector<float> ClsAttention(absl::Span<const LayerTap> taps, int prefix_tokens, int layers) {
  OBJECTDINO_CHECK(!taps.empty() && layers >= 1);
  at::Tensor sum;
  for (const LayerTap& tap : taps.last(std::min(static_cast<size_t>(layers), taps.size()))) {
    const at::Tensor placed = tap.rotation.Apply(tap.qkv[0].narrow(1, 0, 2));  // [T, 2, H, d]
    const at::Tensor query = placed[0][0].unsqueeze(1);                        // [H, 1, d]
    const at::Tensor keys = placed.select(1, 1).permute({1, 2, 0});            // [H, d, T]
    const double scale = 1 / std::sqrt(static_cast<double>(query.size(2)));
    const at::Tensor attention = at::softmax(at::matmul(query, keys).mul_(scale), -1);  // [H, 1, T]
    const at::Tensor patches = attention.slice(2, prefix_tokens).mean({0, 1});          // [N]
    sum = sum.defined() ? sum + patches : patches;
  }
  return ToVector(sum / sum.sum());
}

}  // namespace objectdino
