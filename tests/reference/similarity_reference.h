// SPDX-License-Identifier: Apache-2.0
// Naive twins of core/heads: the formulas as the paper writes them, N x N maps and all, in plain
// loops and double.
#ifndef OBJECTDINO_TESTS_REFERENCE_SIMILARITY_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_SIMILARITY_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "ATen/core/Tensor.h"

#include "core/base/head_ref.h"
#include "core/base/patch_grid.h"

namespace objectdino::reference {

using Matrix = std::vector<std::vector<double>>;  // [N][N]

// C_r of one head: cosines of all pairs of patches. `qkv` is [T, 3, H, d].
inline Matrix CosineMap(const at::Tensor& qkv, int prefix, int r, int head) {
  const int64_t patches = qkv.size(0) - prefix;
  const int64_t dim = qkv.size(3);
  const auto x = qkv.accessor<float, 4>();
  const auto dot = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t c = 0; c < dim; ++c)
      sum += double{x[prefix + i][r][head][c]} * x[prefix + j][r][head][c];
    return sum;
  };
  Matrix map(patches, std::vector<double>(patches));
  for (int64_t i = 0; i < patches; ++i) {
    for (int64_t j = 0; j < patches; ++j) map[i][j] = dot(i, j) / std::sqrt(dot(i, i) * dot(j, j));
  }
  return map;
}

// map_r of one head: the mean cosine of each patch to all patches.
inline std::vector<double> SelfSimilarityMap(const at::Tensor& qkv, int prefix, int r, int head) {
  const Matrix cosines = CosineMap(qkv, prefix, r, head);
  std::vector<double> map(cosines.size(), 0.0);
  for (size_t j = 0; j < map.size(); ++j) {
    for (const std::vector<double>& row : cosines) map[j] += row[j];
    map[j] /= static_cast<double>(cosines.size());
  }
  return map;
}

// S_h: mean over the components, 0 = q, 1 = k, 2 = v.
inline Matrix MeanCosineMap(const at::Tensor& qkv, int prefix, int head,
                            const std::vector<int>& components = {0, 1, 2}) {
  const auto patches = static_cast<size_t>(qkv.size(0) - prefix);
  Matrix mean(patches, std::vector<double>(patches, 0.0));
  for (const int r : components) {
    const Matrix map = CosineMap(qkv, prefix, r, head);
    for (size_t i = 0; i < patches; ++i) {
      for (size_t j = 0; j < patches; ++j)
        mean[i][j] += map[i][j] / static_cast<double>(components.size());
    }
  }
  return mean;
}

// m_h[j]: column means of the row softmax, mean over the components.
inline std::vector<double> ExactDescriptor(const at::Tensor& qkv, int prefix, int head,
                                           double temperature,
                                           const std::vector<int>& components = {0, 1, 2}) {
  std::vector<double> descriptor(qkv.size(0) - prefix, 0.0);
  for (const int r : components) {
    for (std::vector<double> row : CosineMap(qkv, prefix, r, head)) {
      double sum = 0;
      for (double& value : row) sum += value = std::exp(value * temperature);
      for (size_t j = 0; j < row.size(); ++j)
        descriptor[j] += row[j] / sum / static_cast<double>(components.size() * row.size());
    }
  }
  return descriptor;
}

// k_i . k_j over all heads of the layer.
inline Matrix KeyProducts(const at::Tensor& qkv, int prefix) {
  const auto x = qkv.accessor<float, 4>();  // [T, 3, H, d]
  const int64_t patches = qkv.size(0) - prefix;
  Matrix products(patches, std::vector<double>(patches, 0.0));
  for (int64_t i = 0; i < patches; ++i) {
    for (int64_t j = 0; j < patches; ++j) {
      for (int64_t head = 0; head < qkv.size(2); ++head) {
        for (int64_t c = 0; c < qkv.size(3); ++c)
          products[i][j] += double{x[prefix + i][1][head][c]} * x[prefix + j][1][head][c];
      }
    }
  }
  return products;
}

// Affinity by building the feature matrix F = [S_1 S_2 ...] and the cosine of its rows.
inline Matrix Affinity(const std::vector<Matrix>& maps) {
  const size_t patches = maps.front().size();
  Matrix features(patches);
  for (size_t i = 0; i < patches; ++i) {
    for (const Matrix& map : maps)
      features[i].insert(features[i].end(), map[i].begin(), map[i].end());
  }
  const auto dot = [&](size_t i, size_t j) {
    double sum = 0;
    for (size_t c = 0; c < features[i].size(); ++c) sum += features[i][c] * features[j][c];
    return sum;
  };
  Matrix affinity(patches, std::vector<double>(patches));
  for (size_t i = 0; i < patches; ++i) {
    for (size_t j = 0; j < patches; ++j)
      affinity[i][j] = dot(i, j) / std::sqrt(dot(i, i) * dot(j, j));
  }
  return affinity;
}

// Anchored evidence in its N x N form: v_j = mean over heads of sum_i (a_i - b_i) S_h[i, j].
inline std::vector<double> AnchoredEvidence(const std::vector<Matrix>& maps,
                                            const std::vector<float>& attention,
                                            const PatchGrid& grid) {
  const auto on_ring = [&grid](int index) {
    const int row = index / grid.cols, col = index % grid.cols;
    return row == 0 || col == 0 || row == grid.rows - 1 || col == grid.cols - 1;
  };
  int ring = 0;
  for (int i = 0; i < grid.size(); ++i) ring += on_ring(i);
  std::vector<double> evidence(grid.size(), 0.0);
  for (const Matrix& map : maps) {
    for (int i = 0; i < grid.size(); ++i) {
      const double weight = attention[i] - (on_ring(i) ? 1.0 / ring : 0.0);
      for (int j = 0; j < grid.size(); ++j)
        evidence[j] += weight * map[i][j] / static_cast<double>(maps.size());
    }
  }
  return evidence;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_SIMILARITY_REFERENCE_H_
