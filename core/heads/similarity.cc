// SPDX-License-Identifier: Apache-2.0
#include "core/heads/similarity.h"

#include "ATen/ATen.h"

namespace objectdino {

namespace {
constexpr double kNormFloor = 1e-12;
}  // namespace

at::Tensor UnitPatches(const LayerTap& tap, int prefix_tokens) {
  const at::Tensor x = tap.qkv[0].slice(0, prefix_tokens);  // [N, 3, H, d]
  return x / at::linalg_vector_norm(x, 2, {-1}, /*keepdim=*/true).clamp_min_(kNormFloor);
}

at::Tensor ExactDescriptors(const at::Tensor& unit_patches, double temperature) {
  const int64_t patches = unit_patches.size(0);
  const int64_t heads = unit_patches.size(2);
  at::Tensor descriptors = at::zeros({heads, patches}, unit_patches.options());
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t r = 0; r < 3; ++r) {
      const at::Tensor x = unit_patches.select(2, head).select(1, r).contiguous();  // [N, d]
      const at::Tensor e = at::mm(x, x.t()).mul_(temperature).exp_();               // [N, N]
      descriptors[head].add_(at::mv(e, e.sum(1).reciprocal_()));
    }
  }
  return descriptors.div_(3.0 * static_cast<double>(patches));
}

at::Tensor LinearDescriptors(const at::Tensor& unit_patches) {
  const int64_t patches = unit_patches.size(0);
  const int64_t heads = unit_patches.size(2);
  const int64_t dim = unit_patches.size(3);
  const at::Tensor flat = unit_patches.reshape({patches, 3 * heads * dim});  // [N, 3 H d]
  const at::Tensor ones =
      at::full({1, patches}, 1.0 / static_cast<double>(patches), flat.options());
  const at::Tensor mean = at::mm(ones, flat).view({3, heads, dim});  // [3, H, d]
  // One thin product instead of H: column h holds the mean of head h and zeros elsewhere.
  at::Tensor per_head = at::zeros({3, heads, dim, heads}, flat.options());  // [3, H, d, H]
  per_head.diagonal(0, 1, 3).copy_(mean.permute({0, 2, 1}));                // [3, d, H]
  const at::Tensor m = at::mm(flat, per_head.view({3 * heads * dim, heads})).div_(3);  // [N, H]
  return m.sub(m.mean(0)).t().contiguous();                                            // [H, N]
}

}  // namespace objectdino
