// SPDX-License-Identifier: Apache-2.0
// What is linear in the number of patches: head descriptors, self-similarity maps and objectness
// evidence without any N x N map.
//
// Letters: N patches, R components (those of q, k, v that are used, called r), H heads, d head
// dimension; x^ = x / max(||x||, 1e-12). All results are of the form x^_j . sum_i w_i x^_i, which
// two passes over the components give. Torch-free. Thread-safety: pure functions. Cost: O(N R H d)
// each, memory O(R H (N + d)).
#ifndef OBJECTDINO_CORE_HEADS_HEAD_VECTORS_H_
#define OBJECTDINO_CORE_HEADS_HEAD_VECTORS_H_

#include <vector>

#include "absl/types/span.h"

namespace objectdino {

// The patches' components of one layer. Borrows the floats.
struct HeadVectors {
  absl::Span<const float> qkv;       // row-major [N, R, H, d], prefix tokens dropped
  int patches = 0;                   // N
  int heads = 0;                     // H
  int dim = 0;                       // d
  int components = 3;                // R
  std::vector<float> inverse_norms;  // [N, R, H]

  int columns() const { return components * heads; }
};

// Computes the norms. REQUIRES: qkv.size() == patches * components * heads * dim.
HeadVectors MakeHeadVectors(absl::Span<const float> qkv, int patches, int heads, int dim,
                            int components = 3);

// Linear descriptors, row-major [H, N]: entry j is the mean over r of x^_j . mean_i x^_i, centred
// per head. The first-order term of the published ones up to scale and sign; picks the same heads
// (defaults.md section 1).
std::vector<float> LinearDescriptors(const HeadVectors& vectors);

// Self-similarity maps, row-major [H, R, N]: entry (h, r, j) is x^_j . mean_i x^_i, the mean cosine
// of patch j to all patches, itself included. LinearDescriptors are their mean over r, centred.
std::vector<float> SelfSimilarityMaps(const HeadVectors& vectors);

// Adds to `evidence` [N], for each head of `selected` and each r: x^_j . sum_i weights_i x^_i.
// `weights` is [N].
void AddEvidence(const HeadVectors& vectors, absl::Span<const int> selected,
                 absl::Span<const float> weights, absl::Span<float> evidence);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_HEAD_VECTORS_H_
