// SPDX-License-Identifier: Apache-2.0
// The affinity of patches: what the cuts and LOST divide.
//
// Letters: N patches, R components (those of q, k, v that are used), H heads, d head dimension,
// D = H d width. Thread-safety: pure functions; run under c10::InferenceMode.
#ifndef OBJECTDINO_CORE_HEADS_AFFINITY_H_
#define OBJECTDINO_CORE_HEADS_AFFINITY_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/types/span.h"

#include "core/base/head_ref.h"
#include "core/vit/vision_transformer.h"

namespace objectdino {

// In the object-centric heads. With S_h the mean over the components of the cosine maps of head h
// and F = [S_1 S_2 ...] (N x H_sel N), the affinity is the cosine of the rows of F (algorithm.md
// 1.5). F is never built: F F^T = sum_h S_h^2 and S_h = C_h C_h^T with C_h = [q^ k^ v^] / sqrt(R)
// (N x R d), so F F^T = sum_h C_h (C_h^T C_h) C_h^T (cost.md 4.1, identities 4 and 5). Row-major
// [N, N], symmetric up to rounding, ones on the diagonal. `unit_patches` holds one [N, R, H, d] a
// layer. Cost: O(H_sel (N^2 d + N d^2)).
std::vector<float> HeadAffinity(absl::Span<const at::Tensor> unit_patches,
                                absl::Span<const HeadRef> heads);

// In the keys of one layer, all heads concatenated (TokenCut): the cosine of k_i and k_j. Row-major
// [N, N]. Cost: O(N^2 D).
std::vector<float> KeyAffinity(const LayerTap& tap, int prefix_tokens);

// The same without the norms (LOST): k_i . k_j.
std::vector<float> KeyProducts(const LayerTap& tap, int prefix_tokens);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_AFFINITY_H_
