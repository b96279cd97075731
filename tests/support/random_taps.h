// SPDX-License-Identifier: Apache-2.0
// Seeded random queries, keys and values for tests of core/heads.
#ifndef OBJECTDINO_TESTS_SUPPORT_RANDOM_TAPS_H_
#define OBJECTDINO_TESTS_SUPPORT_RANDOM_TAPS_H_

#include <random>
#include <vector>

#include "ATen/ATen.h"

#include "core/heads/head_vectors.h"
#include "core/vit/vision_transformer.h"

namespace objectdino::testing {

// `layers` taps of [1, tokens, 3, heads, dim]; every head has its own offset, so that cosines are
// far from zero.
inline std::vector<LayerTap> RandomTaps(int layers, int tokens, int heads, int dim, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<LayerTap> taps;
  for (int layer = 0; layer < layers; ++layer) {
    const at::Tensor qkv = at::empty({1, tokens, 3, heads, dim});
    float* data = qkv.data_ptr<float>();
    std::vector<float> offset(static_cast<size_t>(3) * heads * dim);
    for (float& value : offset) value = normal(generator);
    for (int64_t i = 0; i < qkv.numel(); ++i)
      data[i] = normal(generator) + offset[i % offset.size()];
    taps.push_back({layer, qkv});
  }
  return taps;
}

// The patches' queries, keys and values, one entry a layer. Borrows from `taps`, which must be
// contiguous.
inline std::vector<HeadVectors> VectorsOf(const std::vector<LayerTap>& taps, int prefix_tokens) {
  std::vector<HeadVectors> layers;
  for (const LayerTap& tap : taps) {
    const at::Tensor qkv = tap.qkv[0].slice(0, prefix_tokens);  // [N, 3, H, d]
    layers.push_back(
        MakeHeadVectors({qkv.const_data_ptr<float>(), static_cast<size_t>(qkv.numel())},
                        static_cast<int>(qkv.size(0)), static_cast<int>(qkv.size(2)),
                        static_cast<int>(qkv.size(3))));
  }
  return layers;
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_RANDOM_TAPS_H_
