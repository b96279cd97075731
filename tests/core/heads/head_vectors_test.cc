// SPDX-License-Identifier: Apache-2.0
#include "core/heads/head_vectors.h"

#include <cmath>
#include <numeric>

#include "ATen/ATen.h"
#include "gtest/gtest.h"

#include "core/heads/similarity.h"
#include "tests/reference/similarity_reference.h"
#include "tests/support/random_taps.h"

namespace objectdino {
namespace {

constexpr int kPrefix = 2, kTokens = 32, kHeads = 3, kDim = 8;

void ExpectCentredColumnMeans(const HeadVectors& vectors, const at::Tensor& qkv,
                              const std::vector<int>& components) {
  const std::vector<float> fast = LinearDescriptors(vectors);
  for (int head = 0; head < kHeads; ++head) {
    const auto map = reference::MeanCosineMap(qkv, kPrefix, head, components);
    std::vector<double> mean(map.size(), 0.0);
    double total = 0;
    for (const auto& row : map) {
      for (size_t j = 0; j < row.size(); ++j) {
        mean[j] += row[j] / static_cast<double>(map.size());
        total += row[j] / static_cast<double>(map.size() * map.size());
      }
    }
    for (size_t j = 0; j < mean.size(); ++j) {
      ASSERT_NEAR(fast[head * map.size() + j], mean[j] - total, 1e-6);
    }
  }
}

TEST(LinearDescriptors, EqualTheCentredColumnMeansOfTheCosineMaps) {
  const auto taps = testing::RandomTaps(1, kTokens, kHeads, kDim, 4);
  ExpectCentredColumnMeans(testing::VectorsOf(taps, kPrefix).front(), taps[0].qkv[0], {0, 1, 2});
}

TEST(LinearDescriptors, OfSomeComponentsEqualTheirCosineMaps) {
  const auto taps = testing::RandomTaps(1, kTokens, kHeads, kDim, 7);
  for (const AttentionComponents components :
       {AttentionComponents{.key = false, .value = false}, AttentionComponents{.query = false}}) {
    const at::Tensor patches = PatchComponents(taps[0], kPrefix, components);  // [N, R, H, d]
    const HeadVectors vectors =
        MakeHeadVectors({patches.const_data_ptr<float>(), static_cast<size_t>(patches.numel())},
                        kTokens - kPrefix, kHeads, kDim, static_cast<int>(patches.size(1)));
    ExpectCentredColumnMeans(vectors, taps[0].qkv[0], components.indices());
  }
}

// Head dimension 64 has a path of its own.
TEST(SelfSimilarityMaps, EqualTheColumnMeansOfTheCosineMapsOfQueriesKeysAndValues) {
  for (const int dim : {kDim, 64}) {
    const auto taps = testing::RandomTaps(1, kTokens, kHeads, dim, 7);
    const HeadVectors vectors = testing::VectorsOf(taps, kPrefix).front();
    const std::vector<float> fast = SelfSimilarityMaps(vectors);
    ASSERT_EQ(fast.size(), static_cast<size_t>(kHeads) * 3 * vectors.patches);
    size_t index = 0;
    for (int head = 0; head < kHeads; ++head) {
      for (int r = 0; r < 3; ++r) {
        for (const double value : reference::SelfSimilarityMap(taps[0].qkv[0], kPrefix, r, head)) {
          ASSERT_NEAR(fast[index++], value, 1e-6)
              << "dim " << dim << ", head " << head << ", " << r;
        }
      }
    }
  }
}

TEST(SelfSimilarityMaps, MeanOverQueriesKeysAndValuesCentredIsTheDescriptor) {
  const auto taps = testing::RandomTaps(1, kTokens, kHeads, kDim, 8);
  const HeadVectors vectors = testing::VectorsOf(taps, kPrefix).front();
  const std::vector<float> maps = SelfSimilarityMaps(vectors);
  const std::vector<float> descriptors = LinearDescriptors(vectors);
  const int patches = vectors.patches;
  for (int head = 0; head < kHeads; ++head) {
    const float* map = &maps[static_cast<size_t>(head) * 3 * patches];
    const double mean = std::accumulate(map, map + 3 * patches, 0.0) / (3 * patches);
    for (int j = 0; j < patches; ++j) {
      const double value = (double{map[j]} + map[patches + j] + map[2 * patches + j]) / 3;
      ASSERT_NEAR(value - mean, descriptors[head * patches + j], 1e-6);
    }
  }
}

TEST(HeadVectors, ZeroVectorStaysFinite) {
  auto taps = testing::RandomTaps(1, kTokens, kHeads, kDim, 5);
  taps[0].qkv[0][kPrefix + 3].zero_();
  const HeadVectors vectors = testing::VectorsOf(taps, kPrefix).front();
  for (const float value : LinearDescriptors(vectors)) ASSERT_TRUE(std::isfinite(value));
  for (const float value : SelfSimilarityMaps(vectors)) ASSERT_TRUE(std::isfinite(value));
}

TEST(AddEvidence, AddsUpOverHeads) {
  const auto taps = testing::RandomTaps(1, kTokens, kHeads, kDim, 6);
  const HeadVectors vectors = testing::VectorsOf(taps, kPrefix).front();
  std::vector<float> weights(vectors.patches);
  for (int i = 0; i < vectors.patches; ++i) weights[i] = std::sin(static_cast<float>(i));
  std::vector<float> together(vectors.patches, 0.0f);
  std::vector<float> in_turn(vectors.patches, 0.0f);
  AddEvidence(vectors, {0, 2}, weights, absl::MakeSpan(together));
  AddEvidence(vectors, {0}, weights, absl::MakeSpan(in_turn));
  AddEvidence(vectors, {2}, weights, absl::MakeSpan(in_turn));
  for (int j = 0; j < vectors.patches; ++j) EXPECT_NEAR(together[j], in_turn[j], 1e-5);
}

}  // namespace
}  // namespace objectdino
