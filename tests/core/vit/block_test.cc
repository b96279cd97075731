// SPDX-License-Identifier: Apache-2.0
#include "core/vit/block.h"

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

constexpr int64_t kWidth = 8;
constexpr double kEpsilon = 1e-6;

class BlockTest : public ::testing::Test {
 protected:
  Linear MakeLinear(int64_t out, int64_t in, double scale) {
    const at::Tensor weight = at::randn({out, in}, random_) * scale;
    const at::Tensor bias = at::randn({out}, random_) * scale;
    return Linear(weight, bias, at::kCPU);
  }
  LayerNorm MakeNorm() {
    const at::Tensor weight = at::randn({kWidth}, random_);
    const at::Tensor bias = at::randn({kWidth}, random_);
    return LayerNorm(weight, bias, kEpsilon, at::kCPU);
  }

  at::Generator random_ = at::detail::createCPUGenerator(6);
};

TEST_F(BlockTest, SilentBranchesLeaveTheInput) {
  const Block block(
      MakeNorm(), Attention(MakeLinear(3 * kWidth, kWidth, 1), MakeLinear(kWidth, kWidth, 0), 2),
      MakeNorm(), FeedForward(MakeLinear(16, kWidth, 1), MakeLinear(kWidth, 16, 0), false));
  const at::Tensor x = at::randn({2, 5, kWidth}, random_);
  EXPECT_TRUE(block.Forward(x).sum.equal(x));
}

TEST_F(BlockTest, BranchesFollowEachOther) {
  const LayerNorm norm1 = MakeNorm();
  const LayerNorm norm2 = MakeNorm();
  const Attention attention(MakeLinear(3 * kWidth, kWidth, 1), MakeLinear(kWidth, kWidth, 1), 2);
  const FeedForward feed_forward(MakeLinear(16, kWidth, 1), MakeLinear(kWidth, 16, 1), false);
  const Block block(norm1, attention, norm2, feed_forward);
  const at::Tensor x = at::randn({2, 5, kWidth}, random_);
  const at::Tensor zero = at::zeros_like(x);

  const at::Tensor attended = x + attention.Forward(norm1.Forward(x), zero).sum;
  const at::Tensor expected = attended + feed_forward.Forward(norm2.Forward(attended), zero);
  EXPECT_LT((block.Forward(x).sum - expected).abs().max().item<double>(), 1e-5);
}

TEST_F(BlockTest, NormGivesZeroMeanAndUnitDeviation) {
  const LayerNorm norm(at::ones({kWidth}), at::zeros({kWidth}), kEpsilon, at::kCPU);
  const at::Tensor y = norm.Forward(at::randn({3, 4, kWidth}, random_) * 5 + 2);
  EXPECT_LT(y.mean(-1).abs().max().item<double>(), 1e-5);
  EXPECT_LT((y.square().mean(-1) - 1).abs().max().item<double>(), 1e-4);
}

}  // namespace
}  // namespace objectdino
