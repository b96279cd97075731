// SPDX-License-Identifier: Apache-2.0
#include "core/heads/cls_attention.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "ATen/ATen.h"
#include "gtest/gtest.h"

#include "core/base/patch_grid.h"
#include "tests/support/random_taps.h"

namespace objectdino {
namespace {

constexpr PatchGrid kGrid{5, 7, 14};
constexpr int kPrefix = 3, kHeads = 2, kDim = 6;

// The model's softmax, from layer `first` to the last.
void ExpectAttentionFrom(int first, const std::vector<LayerTap>& taps,
                         const std::vector<float>& attention) {
  std::vector<double> expected(kGrid.size(), 0.0);
  for (size_t layer = first; layer < taps.size(); ++layer) {
    const auto x = taps[layer].qkv.accessor<float, 5>();
    for (int head = 0; head < kHeads; ++head) {
      std::vector<double> e(kPrefix + kGrid.size());
      double sum = 0;
      for (size_t t = 0; t < e.size(); ++t) {
        double dot = 0;
        for (int c = 0; c < kDim; ++c) dot += double{x[0][0][0][head][c]} * x[0][t][1][head][c];
        sum += e[t] = std::exp(dot / std::sqrt(double{kDim}));
      }
      for (int j = 0; j < kGrid.size(); ++j) expected[j] += e[kPrefix + j] / sum;
    }
  }
  const double total = std::accumulate(expected.begin(), expected.end(), 0.0);
  for (int j = 0; j < kGrid.size(); ++j) EXPECT_NEAR(attention[j], expected[j] / total, 1e-6);
}

TEST(ClsAttention, IsTheModelsSoftmaxOfTheLastLayers) {
  const auto taps = testing::RandomTaps(4, kPrefix + kGrid.size(), kHeads, kDim, 1);
  ExpectAttentionFrom(2, taps, ClsAttention(taps, kPrefix));
  ExpectAttentionFrom(3, taps, ClsAttention(taps, kPrefix, 1));
  ExpectAttentionFrom(0, taps, ClsAttention(taps, kPrefix, 9));
}

}  // namespace
}  // namespace objectdino
