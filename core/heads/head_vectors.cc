// SPDX-License-Identifier: Apache-2.0
#include "core/heads/head_vectors.h"

#include <algorithm>

#include <Eigen/Core>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr float kNormFloor = 1e-12f;

using VectorMap = Eigen::Map<const Eigen::VectorXf>;

// Columns are the 3 H vectors of one patch, r slowest.
using PatchMap = Eigen::Map<const Eigen::MatrixXf>;

PatchMap Patch(const HeadVectors& v, int patch) {
  return PatchMap(v.qkv.data() + static_cast<size_t>(patch) * 3 * v.heads * v.dim, v.dim,
                  3 * v.heads);
}

VectorMap InverseNorms(const HeadVectors& v, int patch) {
  return VectorMap(v.inverse_norms.data() + static_cast<size_t>(patch) * 3 * v.heads, 3 * v.heads);
}

// sum_i weights_i x^_i, [d, 3 H].
Eigen::MatrixXf WeightedSum(const HeadVectors& v, absl::Span<const float> weights) {
  Eigen::MatrixXf sum = Eigen::MatrixXf::Zero(v.dim, 3 * v.heads);
  for (int i = 0; i < v.patches; ++i) {
    const PatchMap patch = Patch(v, i);
    const VectorMap inverse = InverseNorms(v, i);
    for (int column = 0; column < 3 * v.heads; ++column) {
      sum.col(column) += (weights[i] * inverse[column]) * patch.col(column);
    }
  }
  return sum;
}

}  // namespace

HeadVectors MakeHeadVectors(absl::Span<const float> qkv, int patches, int heads, int dim) {
  OBJECTDINO_CHECK(qkv.size() == static_cast<size_t>(patches) * 3 * heads * dim);
  HeadVectors vectors{qkv, patches, heads, dim, {}};
  vectors.inverse_norms.resize(static_cast<size_t>(patches) * 3 * heads);
  const float* x = qkv.data();
  for (float& inverse : vectors.inverse_norms) {
    inverse = 1 / std::max(VectorMap(x, dim).norm(), kNormFloor);
    x += dim;
  }
  return vectors;
}

std::vector<float> LinearDescriptors(const HeadVectors& vectors) {
  const int patches = vectors.patches;
  const int heads = vectors.heads;
  const std::vector<float> uniform(patches, 1.0f / static_cast<float>(patches));
  const Eigen::MatrixXf mean = WeightedSum(vectors, uniform);
  std::vector<float> descriptors(static_cast<size_t>(heads) * patches);
  for (int j = 0; j < patches; ++j) {
    const PatchMap patch = Patch(vectors, j);
    const VectorMap inverse = InverseNorms(vectors, j);
    for (int head = 0; head < heads; ++head) {
      float sum = 0;
      for (int column = head; column < 3 * heads; column += heads) {
        sum += inverse[column] * patch.col(column).dot(mean.col(column));
      }
      descriptors[static_cast<size_t>(head) * patches + j] = sum / 3;
    }
  }
  for (int head = 0; head < heads; ++head) {
    Eigen::Map<Eigen::VectorXf> row(descriptors.data() + static_cast<size_t>(head) * patches,
                                    patches);
    row.array() -= static_cast<float>(row.cast<double>().mean());
  }
  return descriptors;
}

void AddEvidence(const HeadVectors& vectors, absl::Span<const int> selected,
                 absl::Span<const float> weights, absl::Span<float> evidence) {
  const Eigen::MatrixXf anchor = WeightedSum(vectors, weights);
  for (int j = 0; j < vectors.patches; ++j) {
    const PatchMap patch = Patch(vectors, j);
    const VectorMap inverse = InverseNorms(vectors, j);
    float sum = 0;
    for (const int head : selected) {
      for (int column = head; column < 3 * vectors.heads; column += vectors.heads) {
        sum += inverse[column] * patch.col(column).dot(anchor.col(column));
      }
    }
    evidence[j] += sum;
  }
}

}  // namespace objectdino
