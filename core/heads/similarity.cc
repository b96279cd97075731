// SPDX-License-Identifier: Apache-2.0
#include "core/heads/similarity.h"

#include <vector>

#include "ATen/ATen.h"

#include "core/base/status_macros.h"

namespace objectdino {

namespace {
constexpr double kNormFloor = 1e-12;
}  // namespace

at::Tensor UnitVectors(const at::Tensor& x) {
  return x / at::linalg_vector_norm(x, 2, {-1}, /*keepdim=*/true).clamp_min_(kNormFloor);
}

at::Tensor PatchComponents(const LayerTap& tap, int prefix_tokens,
                           const AttentionComponents& components) {
  OBJECTDINO_CHECK(!components.none());
  at::Tensor patches = tap.qkv[0].slice(0, prefix_tokens);  // [N, 3, H, d]
  if (components == AttentionComponents{}) return patches;
  std::vector<at::Tensor> chosen;
  for (const int r : components.indices()) chosen.push_back(patches.select(1, r));
  return at::stack(chosen, 1);  // [N, R, H, d]
}

at::Tensor UnitPatches(const LayerTap& tap, int prefix_tokens,
                       const AttentionComponents& components) {
  return UnitVectors(PatchComponents(tap, prefix_tokens, components));  // [N, R, H, d]
}

at::Tensor ExactDescriptors(const at::Tensor& unit_patches, double temperature) {
  const int64_t patches = unit_patches.size(0);
  const int64_t components = unit_patches.size(1);
  const int64_t heads = unit_patches.size(2);
  at::Tensor descriptors = at::zeros({heads, patches}, unit_patches.options());
  // The greatest of each row, its diagonal: without it exp would overflow at temperatures above 88.
  const at::Tensor shift = at::full({1, 1}, -temperature, unit_patches.options());
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t r = 0; r < components; ++r) {
      const at::Tensor x = unit_patches.select(2, head).select(1, r).contiguous();  // [N, d]
      const at::Tensor e = at::addmm(shift, x, x.t(), 1, temperature).exp_();       // [N, N]
      descriptors[head].add_(at::mv(e, e.sum(1).reciprocal_()));
    }
  }
  return descriptors.div_(static_cast<double>(components * patches));
}

}  // namespace objectdino
