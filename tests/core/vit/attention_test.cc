// SPDX-License-Identifier: Apache-2.0
#include "core/vit/attention.h"

#include <vector>

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

#include "tests/reference/attention_reference.h"

namespace objectdino {
namespace {

std::vector<double> ToVector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

// The output projection is the identity, so that the sum minus the residual is the attention
// itself.
class AttentionTest : public ::testing::TestWithParam<int64_t> {
 protected:
  static constexpr int64_t kHeads = 3;
  static constexpr int64_t kHeadDim = 8;
  static constexpr int64_t kWidth = kHeads * kHeadDim;

  AttentionTest()
      : attention_(Linear(qkv_weight_, qkv_bias_, at::kCPU),
                   Linear(at::eye(kWidth), at::zeros({kWidth}), at::kCPU), kHeads) {}

  at::Generator random_ = at::detail::createCPUGenerator(2);
  at::Tensor qkv_weight_ = at::randn({3 * kWidth, kWidth}, random_) / 4;
  at::Tensor qkv_bias_ = at::randn({3 * kWidth}, random_);
  Attention attention_;
};

TEST_P(AttentionTest, SumMatchesTheReference) {
  const int64_t tokens = GetParam();
  const at::Tensor x = at::randn({2, tokens, kWidth}, random_);
  const at::Tensor residual = at::randn({2, tokens, kWidth}, random_);
  const AttentionOutput output = attention_.Forward(x, residual);
  for (int64_t image = 0; image < 2; ++image) {
    const std::vector<double> expected = reference::AttentionReference(
        ToVector(output.qkv[image]), static_cast<size_t>(tokens), kHeads, kHeadDim);
    const std::vector<double> actual = ToVector(output.sum[image] - residual[image]);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 2e-5) << i;
  }
}

TEST_P(AttentionTest, TapHoldsQueriesKeysAndValuesInThisOrder) {
  const int64_t tokens = GetParam();
  const at::Tensor x = at::randn({2, tokens, kWidth}, random_);
  const at::Tensor qkv = attention_.Forward(x, x).qkv;
  ASSERT_EQ(qkv.sizes().vec(), (std::vector<int64_t>{2, tokens, 3, kHeads, kHeadDim}));
  for (int64_t which = 0; which < 3; ++which) {
    const at::Tensor expected = at::linear(x, qkv_weight_.narrow(0, which * kWidth, kWidth),
                                           qkv_bias_.narrow(0, which * kWidth, kWidth));
    const at::Tensor actual = qkv.select(2, which).flatten(2);
    EXPECT_LT((actual - expected).abs().max().item<double>(), 1e-5) << which;
  }
}

// One token, fewer than a tile of the fused kernel, and more than one.
INSTANTIATE_TEST_SUITE_P(Tokens, AttentionTest, ::testing::Values(1, 13, 600));

}  // namespace
}  // namespace objectdino
