// SPDX-License-Identifier: Apache-2.0
#include "core/heads/head_vectors.h"

#include <algorithm>
#include <type_traits>

#include <Eigen/Core>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr float kNormFloor = 1e-12f;

// Column r * H + h of a patch is a vector of `Dim` floats. Every known backbone has d = 64, and
// knowing it at compile time makes these short products twice as fast.
template <int Dim>
using PatchMap = Eigen::Map<const Eigen::Matrix<float, Dim, Eigen::Dynamic>>;

template <int Dim>
PatchMap<Dim> Patch(const HeadVectors& v, int patch) {
  return PatchMap<Dim>(v.qkv.data() + static_cast<size_t>(patch) * v.columns() * v.dim, v.dim,
                       v.columns());
}

// Calls `run` with the dimension as a constant: 64, or Eigen::Dynamic for any other.
template <typename Run>
void WithDim(int dim, const Run& run) {
  if (dim == 64) {
    run(std::integral_constant<int, 64>());
  } else {
    run(std::integral_constant<int, Eigen::Dynamic>());
  }
}

const float* InverseNorms(const HeadVectors& v, int patch) {
  return v.inverse_norms.data() + static_cast<size_t>(patch) * v.columns();
}

// sum_i weights_i x^_i, [d, R H].
template <int Dim>
Eigen::Matrix<float, Dim, Eigen::Dynamic> WeightedSum(const HeadVectors& v,
                                                      absl::Span<const float> weights) {
  Eigen::Matrix<float, Dim, Eigen::Dynamic> sum(v.dim, v.columns());
  sum.setZero();
  for (int i = 0; i < v.patches; ++i) {
    const PatchMap<Dim> patch = Patch<Dim>(v, i);
    const float* inverse = InverseNorms(v, i);
    for (int column = 0; column < v.columns(); ++column) {
      sum.col(column) += (weights[i] * inverse[column]) * patch.col(column);
    }
  }
  return sum;
}

}  // namespace

HeadVectors MakeHeadVectors(absl::Span<const float> qkv, int patches, int heads, int dim,
                            int components) {
  HeadVectors vectors{qkv, patches, heads, dim, components, {}};
  const size_t norms = static_cast<size_t>(patches) * vectors.columns();
  OBJECTDINO_CHECK(qkv.size() == norms * dim);
  vectors.inverse_norms.reserve(norms);
  WithDim(dim, [&vectors](auto known_dim) {
    for (int i = 0; i < vectors.patches; ++i) {
      const auto patch = Patch<known_dim()>(vectors, i);
      for (int column = 0; column < vectors.columns(); ++column) {
        vectors.inverse_norms.push_back(1 / std::max(patch.col(column).norm(), kNormFloor));
      }
    }
  });
  return vectors;
}

std::vector<float> LinearDescriptors(const HeadVectors& vectors) {
  const int patches = vectors.patches;
  const int heads = vectors.heads;
  const std::vector<float> uniform(patches, 1.0f / static_cast<float>(patches));
  std::vector<float> descriptors(static_cast<size_t>(heads) * patches);
  WithDim(vectors.dim, [&](auto known_dim) {
    const auto mean = WeightedSum<known_dim()>(vectors, uniform);
    for (int j = 0; j < patches; ++j) {
      const auto patch = Patch<known_dim()>(vectors, j);
      const float* inverse = InverseNorms(vectors, j);
      for (int head = 0; head < heads; ++head) {
        float sum = 0;
        for (int column = head; column < vectors.columns(); column += heads) {
          sum += inverse[column] * patch.col(column).dot(mean.col(column));
        }
        descriptors[static_cast<size_t>(head) * patches + j] =
            sum / static_cast<float>(vectors.components);
      }
    }
  });
  for (int head = 0; head < heads; ++head) {
    Eigen::Map<Eigen::VectorXf> row(descriptors.data() + static_cast<size_t>(head) * patches,
                                    patches);
    row.array() -= static_cast<float>(row.cast<double>().mean());
  }
  return descriptors;
}

std::vector<float> SelfSimilarityMaps(const HeadVectors& vectors) {
  const int patches = vectors.patches;
  const int heads = vectors.heads;
  const std::vector<float> uniform(patches, 1.0f / static_cast<float>(patches));
  std::vector<float> maps(static_cast<size_t>(vectors.columns()) * patches);
  WithDim(vectors.dim, [&](auto known_dim) {
    const auto mean = WeightedSum<known_dim()>(vectors, uniform);
    for (int j = 0; j < patches; ++j) {
      const auto patch = Patch<known_dim()>(vectors, j);
      const float* inverse = InverseNorms(vectors, j);
      for (int column = 0; column < vectors.columns(); ++column) {
        const size_t map =  // h * R + r
            static_cast<size_t>(column % heads) * vectors.components + column / heads;
        maps[map * patches + j] = inverse[column] * patch.col(column).dot(mean.col(column));
      }
    }
  });
  return maps;
}

void AddEvidence(const HeadVectors& vectors, absl::Span<const int> selected,
                 absl::Span<const float> weights, absl::Span<float> evidence) {
  WithDim(vectors.dim, [&](auto known_dim) {
    const auto anchor = WeightedSum<known_dim()>(vectors, weights);
    for (int j = 0; j < vectors.patches; ++j) {
      const auto patch = Patch<known_dim()>(vectors, j);
      const float* inverse = InverseNorms(vectors, j);
      float sum = 0;
      for (const int head : selected) {
        for (int column = head; column < vectors.columns(); column += vectors.heads) {
          sum += inverse[column] * patch.col(column).dot(anchor.col(column));
        }
      }
      evidence[j] += sum;
    }
  });
}

}  // namespace objectdino
