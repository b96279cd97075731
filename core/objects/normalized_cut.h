// SPDX-License-Identifier: Apache-2.0
// Bipartition of the patch graph by the normalised cut (Shi and Malik 2000; algorithm.md 1.5,
// cost.md 4.1.6).
//
// Edges: B_ij = affinity_ij > tau; W = B ? 1 : 1e-5; D = diag(W 1). The Fiedler vector y solves
// (D - W) y = lambda D y for the second smallest lambda. Solved as the second largest eigenvector z
// of D^-1/2 W D^-1/2 with the known top one deflated, y = D^-1/2 z, by Lanczos (Spectra), or
// densely (Eigen) for small graphs and where Lanczos does not converge.
//
// Degenerate graphs (every pair linked, or none but the diagonal) have no meaningful cut: every
// non-trivial eigenvalue is the same. Then tau is replaced by half the smallest affinity if that is
// negative, else 1.5 times it; if the graph is still degenerate, the weighted graph W =
// max(affinity, 1e-5) is cut, and tau is 1e-5. Either way the result says so in `degenerate`.
// Thread-safety: pure functions. Cost: N^2 / 8 additions a Lanczos step (patch_graph.h), some tens
// of steps, N^2 bits of memory; a dense solve takes O(N^3).
#ifndef OBJECTDINO_CORE_OBJECTS_NORMALIZED_CUT_H_
#define OBJECTDINO_CORE_OBJECTS_NORMALIZED_CUT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

enum class EigenSolver { kAuto, kDense, kIterative };

struct NormalizedCutOptions {
  double tau = 0.6;  // affinity threshold; depends on the backbone family
  EigenSolver solver = EigenSolver::kAuto;
};

struct NormalizedCut {
  std::vector<double> fiedler;  // [N], y' D y = 1; sign arbitrary
  double eigenvalue = 0;        // second smallest, in [0, 2]
  double eigengap = 0;          // third minus second smallest; near 0 = the cut is ill-conditioned
  double tau = 0;               // the threshold that was used
  bool degenerate = false;      // a fallback was used: low confidence
};

// `affinity` is symmetric row-major [N, N], N >= 2; only its lower triangle makes edges.
// INVALID_ARGUMENT for a wrong size or values that are not finite.
absl::StatusOr<NormalizedCut> CutGraph(absl::Span<const float> affinity, int patches,
                                       const NormalizedCutOptions& options);

struct Bipartition {
  std::vector<uint8_t> mask;  // [rows, cols], the object's side
  int seed = 0;               // a patch of that side
};

// The published rule: seed = argmax |y| (lowest index on ties); the side y > mean(y), flipped if it
// lacks the seed.
Bipartition SplitBySeed(absl::Span<const double> fiedler);

// The side with the larger mean of `side_weights` (CLS attention) is the object; seed = argmax of
// y, oriented to be large on that side, over that side (defaults.md section 1).
Bipartition SplitByWeights(absl::Span<const double> fiedler, absl::Span<const float> side_weights);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_NORMALIZED_CUT_H_
