// SPDX-License-Identifier: Apache-2.0
// The affinity of patches in the object-centric heads: what the normalised cut cuts.
//
// With S_h = (C_q + C_k + C_v) / 3 the mean cosine map of head h and F = [S_1 S_2 ...] (N x H_sel
// N), the affinity is the cosine of the rows of F (algorithm.md 1.5). F is never built: F F^T =
// sum_h S_h^2 and S_h = C_h C_h^T with C_h = [q^ k^ v^] / sqrt(3) (N x 3d), so F F^T = sum_h C_h
// (C_h^T C_h) C_h^T (cost.md 4.1, identities 4 and 5). Thread-safety: pure function; run under
// c10::InferenceMode. Cost: O(H_sel (N^2 d + N d^2)).
#ifndef OBJECTDINO_CORE_HEADS_AFFINITY_H_
#define OBJECTDINO_CORE_HEADS_AFFINITY_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/types/span.h"

#include "core/base/head_ref.h"

namespace objectdino {

// Row-major [N, N], symmetric up to rounding, ones on the diagonal. `unit_patches` holds one [N, 3,
// H, d] a layer.
std::vector<float> HeadAffinity(absl::Span<const at::Tensor> unit_patches,
                                absl::Span<const HeadRef> heads);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_AFFINITY_H_
