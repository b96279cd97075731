// SPDX-License-Identifier: Apache-2.0
#include "core/heads/affinity.h"

#include "ATen/ATen.h"

#include "core/base/status_macros.h"
#include "core/heads/to_vector.h"

namespace objectdino {

std::vector<float> HeadAffinity(absl::Span<const at::Tensor> unit_patches,
                                absl::Span<const HeadRef> heads) {
  OBJECTDINO_CHECK(!heads.empty());
  std::vector<at::Tensor> left;
  std::vector<at::Tensor> right;
  for (const HeadRef& ref : heads) {
    const at::Tensor unit = unit_patches[ref.layer].select(2, ref.head);  // [N, 3, d]
    const at::Tensor c = unit.reshape({unit.size(0), -1}).contiguous();   // [N, 3d]
    left.push_back(at::mm(c, at::mm(c.t(), c)));                          // [N, 3d]
    right.push_back(c);
  }
  // The factor 1/9 of S_h^2 cancels in the cosine.
  const at::Tensor gram = at::mm(at::cat(left, 1), at::cat(right, 1).t());  // [N, N]
  const at::Tensor scale = gram.diagonal().clamp_min(1e-24).rsqrt();        // [N]
  return ToVector(gram * scale.unsqueeze(0) * scale.unsqueeze(1));
}

}  // namespace objectdino
