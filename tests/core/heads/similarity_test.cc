// SPDX-License-Identifier: Apache-2.0
#include "core/heads/similarity.h"

#include "ATen/ATen.h"
#include "gtest/gtest.h"

#include "tests/reference/similarity_reference.h"
#include "tests/support/random_taps.h"

namespace objectdino {
namespace {

constexpr int kPrefix = 2, kTokens = 32, kHeads = 3, kDim = 8;

LayerTap Tap(unsigned seed) { return testing::RandomTaps(1, kTokens, kHeads, kDim, seed).front(); }

TEST(UnitPatches, DropsPrefixTokensAndHasUnitLength) {
  const LayerTap tap = Tap(1);
  const at::Tensor unit = UnitPatches(tap, kPrefix);
  ASSERT_EQ(unit.sizes(), (at::IntArrayRef{kTokens - kPrefix, 3, kHeads, kDim}));
  EXPECT_LT((at::linalg_vector_norm(unit, 2, {-1}) - 1).abs().max().item<float>(), 1e-6);
  const at::Tensor first = tap.qkv[0][kPrefix][1][2];
  EXPECT_TRUE(at::allclose(unit[0][1][2], first / first.norm()));
}

TEST(UnitPatches, ZeroVectorStaysFinite) {
  LayerTap tap = Tap(2);
  tap.qkv[0][5].zero_();
  EXPECT_TRUE(UnitPatches(tap, kPrefix).isfinite().all().item<bool>());
}

TEST(PatchComponents, KeepsTheOnesAskedForInTheirOrder) {
  const LayerTap tap = Tap(6);
  const at::Tensor patches = tap.qkv[0].slice(0, kPrefix);
  EXPECT_TRUE(at::equal(PatchComponents(tap, kPrefix, {}), patches));
  EXPECT_TRUE(at::equal(PatchComponents(tap, kPrefix, {.query = false, .value = false}),
                        patches.slice(1, 1, 2)));
  EXPECT_TRUE(at::equal(PatchComponents(tap, kPrefix, {.key = false}),
                        patches.index_select(1, at::tensor({0, 2}))));
}

TEST(ExactDescriptors, OfSomeComponentsEqualTheNaiveForm) {
  const LayerTap tap = Tap(7);
  for (const AttentionComponents components :
       {AttentionComponents{.key = false, .value = false}, AttentionComponents{.query = false}}) {
    const at::Tensor fast = ExactDescriptors(UnitPatches(tap, kPrefix, components), 0.5);
    for (int head = 0; head < kHeads; ++head) {
      const auto slow =
          reference::ExactDescriptor(tap.qkv[0], kPrefix, head, 0.5, components.indices());
      for (size_t j = 0; j < slow.size(); ++j)
        ASSERT_NEAR(fast[head][static_cast<int64_t>(j)].item<float>(), slow[j], 1e-6);
    }
  }
}

TEST(ExactDescriptors, EqualsTheNaiveSoftmaxForm) {
  for (const double temperature : {1 / std::sqrt(8.0), 1.0 / 60, 10.0, 100.0}) {
    const LayerTap tap = Tap(3);
    const at::Tensor fast = ExactDescriptors(UnitPatches(tap, kPrefix), temperature);
    for (int head = 0; head < kHeads; ++head) {
      const auto slow = reference::ExactDescriptor(tap.qkv[0], kPrefix, head, temperature);
      for (size_t j = 0; j < slow.size(); ++j) {
        ASSERT_NEAR(fast[head][static_cast<int64_t>(j)].item<float>(), slow[j], 1e-6)
            << head << " " << j;
      }
    }
  }
}

TEST(Descriptors, PermutedHeadsGivePermutedRows) {
  const LayerTap tap = Tap(5);
  const at::Tensor order = at::tensor({2, 0, 1});
  const LayerTap permuted{0, tap.qkv.index_select(3, order)};
  EXPECT_TRUE(
      at::allclose(ExactDescriptors(UnitPatches(permuted, kPrefix), 0.125),
                   ExactDescriptors(UnitPatches(tap, kPrefix), 0.125).index_select(0, order)));
}

}  // namespace
}  // namespace objectdino
