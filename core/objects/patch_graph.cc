// SPDX-License-Identifier: Apache-2.0
#include "core/objects/patch_graph.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace objectdino {
namespace {

constexpr int kColumns = 8;  // of a group: one byte of bits

// sums[s] = the sum of x[b] over the bits b of s.
std::array<double, 1 << kColumns> SubsetSums(const double* x, int count) {
  std::array<double, 1 << kColumns> sums = {};
  for (int b = 0; b < count; ++b) {
    const int subsets = 1 << b;
    for (int s = 0; s < subsets; ++s) sums[subsets + s] = sums[s] + x[b];
  }
  return sums;
}

}  // namespace

PatchGraph PatchGraph::Binary(absl::Span<const float> affinity, int patches, double tau) {
  PatchGraph graph(patches);
  const auto n = static_cast<size_t>(patches);
  graph.bits_.assign((n + kColumns - 1) / kColumns * n, 0);
  const auto link = [&](size_t i, size_t j) {
    graph.bits_[j / kColumns * n + i] |= static_cast<uint8_t>(1 << (j % kColumns));
  };
  for (size_t i = 0; i < n; ++i) {
    const absl::Span<const float> row = affinity.subspan(i * n, n);
    for (size_t j = 0; j < i; ++j) {
      if (!(row[j] > tau)) continue;
      link(i, j);
      link(j, i);
      ++graph.linked_pairs_;
    }
    if (row[i] > tau) link(i, i);
  }
  return graph;
}

PatchGraph PatchGraph::Weighted(absl::Span<const float> affinity, int patches) {
  PatchGraph graph(patches);
  // Row-major data read as column-major: its lower triangle becomes the upper one.
  const Eigen::Map<const Eigen::MatrixXf> a(affinity.data(), patches, patches);
  graph.weights_ = a.cast<double>().cwiseMax(kWeakEdge);
  graph.weights_.triangularView<Eigen::StrictlyLower>() = graph.weights_.transpose();
  return graph;
}

bool PatchGraph::IsUniform() const {
  const int64_t pairs = int64_t{patches_} * (patches_ - 1) / 2;
  return linked_pairs_ == 0 || linked_pairs_ == pairs;
}

void PatchGraph::Multiply(const double* x, double* y) const {
  const Eigen::Map<const Eigen::VectorXd> in(x, patches_);
  Eigen::Map<Eigen::VectorXd> out(y, patches_);
  if (bits_.empty()) {
    out.noalias() = weights_ * in;
    return;
  }
  out.setZero();
  for (int first = 0; first < patches_; first += kColumns) {
    const auto sums = SubsetSums(x + first, std::min(kColumns, patches_ - first));
    const uint8_t* bits = &bits_[static_cast<size_t>(first / kColumns) * patches_];
    for (int i = 0; i < patches_; ++i) y[i] += sums[bits[i]];
  }
  out = (1 - kWeakEdge) * out.array() + kWeakEdge * in.sum();
}

}  // namespace objectdino
