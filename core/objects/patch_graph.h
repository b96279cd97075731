// SPDX-License-Identifier: Apache-2.0
// The weighted graph of patches that the normalised cut divides, as an operator x -> W x.
//
// A thresholded graph is kept as bits: W = kWeakEdge + (1 - kWeakEdge) B with B 0/1. W x then adds,
// for each eight columns, one entry of a table with the sums of all subsets of their eight values
// (the "four Russians" method): an eighth of the additions and 1/64 of the memory traffic of a
// matrix of doubles. Thread-safety: immutable. Cost: N^2 / 8 bytes (8 N^2 for Weighted); Multiply
// is N^2 / 8 additions (N^2 multiplications).
#ifndef OBJECTDINO_CORE_OBJECTS_PATCH_GRAPH_H_
#define OBJECTDINO_CORE_OBJECTS_PATCH_GRAPH_H_

#include <cstdint>
#include <vector>

#include "Eigen/Core"
#include "absl/types/span.h"

namespace objectdino {

class PatchGraph {
 public:
  static constexpr double kWeakEdge = 1e-5;  // between patches that are not linked (algorithm.md)

  // W = affinity > tau ? 1 : kWeakEdge. `affinity` is [N, N]; the upper triangle is not read.
  static PatchGraph Binary(absl::Span<const float> affinity, int patches, double tau);
  // W = max(affinity, kWeakEdge).
  static PatchGraph Weighted(absl::Span<const float> affinity, int patches);

  int size() const { return patches_; }
  // Binary only: all pairs of different patches are linked, or none is.
  bool IsUniform() const;
  // y = W x; x and y are [N] and do not overlap.
  void Multiply(const double* x, double* y) const;

 private:
  explicit PatchGraph(int patches) : patches_(patches) {}

  int patches_;
  int64_t linked_pairs_ = 0;   // i < j
  std::vector<uint8_t> bits_;  // [N / 8 rounded up, N]: bit b of (g, i) is B(i, 8 g + b)
  Eigen::MatrixXd weights_;    // [N, N]; empty when binary
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_PATCH_GRAPH_H_
