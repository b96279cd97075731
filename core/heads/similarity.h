// SPDX-License-Identifier: Apache-2.0
// The quadratic forms of the published method: patch similarities of the attention heads, one
// descriptor a head.
//
// Letters: N patches, R components (those of q, k, v that are used, called r), H heads, d head
// dimension; x^ = x / max(||x||, 1e-12).
// Thread-safety: pure functions; run under c10::InferenceMode.
#ifndef OBJECTDINO_CORE_HEADS_SIMILARITY_H_
#define OBJECTDINO_CORE_HEADS_SIMILARITY_H_

#include "ATen/core/Tensor.h"

#include "core/base/attention_components.h"
#include "core/vit/vision_transformer.h"

namespace objectdino {

// x / max(||x||, 1e-12) over the last axis; the shape stays.
at::Tensor UnitVectors(const at::Tensor& x);

// The patches' components of one image: [N, R, H, d]. Prefix tokens are dropped; a view of the tap
// where all three are used. REQUIRES: a tap with batch size 1, at least one component.
at::Tensor PatchComponents(const LayerTap& tap, int prefix_tokens,
                           const AttentionComponents& components);

// The same, L2-normalised over d.
at::Tensor UnitPatches(const LayerTap& tap, int prefix_tokens,
                       const AttentionComponents& components = {});

// The published descriptors [H, N] (algorithm.md 1.3, 1.4): with C_r = x^_r x^_r^T and P_r =
// row_softmax(C_r * temperature), entry j is the mean over the patches i and over r of P_r[i, j].
// Uses that exp(C) is symmetric: with w = 1 / row sums, the column mean is exp(C) w / N. Finite up
// to a temperature of 100 for vectors of unit length. Cost: O(H N^2 d), one N x N map a head and r
// at a time.
at::Tensor ExactDescriptors(const at::Tensor& unit_patches, double temperature);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_SIMILARITY_H_
