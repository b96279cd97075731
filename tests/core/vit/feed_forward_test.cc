// SPDX-License-Identifier: Apache-2.0
#include "core/vit/feed_forward.h"

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

class FeedForwardTest : public ::testing::TestWithParam<bool> {};

TEST_P(FeedForwardTest, MatchesTheFormula) {
  const bool gated = GetParam();
  const int64_t width = 12;
  const int64_t hidden = 16;
  const int64_t inner = gated ? 2 * hidden : hidden;
  const at::Generator random = at::detail::createCPUGenerator(3);
  const at::Tensor in_weight = at::randn({inner, width}, random);
  const at::Tensor in_bias = at::randn({inner}, random);
  const at::Tensor out_weight = at::randn({width, hidden}, random);
  const at::Tensor out_bias = at::randn({width}, random);
  const at::Tensor x = at::randn({2, 5, width}, random);
  const at::Tensor residual = at::randn({2, 5, width}, random);
  const FeedForward feed_forward(Linear(in_weight, in_bias, at::kCPU),
                                 Linear(out_weight, out_bias, at::kCPU), gated);

  const at::Tensor h = at::matmul(x, in_weight.t()) + in_bias;
  at::Tensor active;
  if (gated) {
    const at::Tensor gate = h.narrow(2, 0, hidden);
    active = gate / (1 + at::exp(-gate)) * h.narrow(2, hidden, hidden);
  } else {
    active = 0.5 * h * (1 + at::erf(h / 1.4142135623730951));
  }
  const at::Tensor expected = residual + at::matmul(active, out_weight.t()) + out_bias;
  const at::Tensor actual = feed_forward.Forward(x, residual);
  EXPECT_LT((actual - expected).abs().max().item<double>(), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(PlainAndGated, FeedForwardTest, ::testing::Bool());

}  // namespace
}  // namespace objectdino
