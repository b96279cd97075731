// SPDX-License-Identifier: Apache-2.0
#include "core/vit/linear.h"

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

double MaxError(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a - b).abs().max().item<double>();
}

class LinearTest : public ::testing::Test {
 protected:
  LinearTest() : linear_(weight_, bias_, at::kCPU) {}

  at::Generator random_ = at::detail::createCPUGenerator(1);
  at::Tensor weight_ = at::randn({48, 20}, random_);
  at::Tensor bias_ = at::randn({48}, random_);
  at::Tensor x_ = at::randn({2, 7, 20}, random_);
  Linear linear_;
};

TEST_F(LinearTest, ForwardIsTheProductPlusBias) {
  EXPECT_LT(MaxError(linear_.Forward(x_), at::matmul(x_, weight_.t()) + bias_), 1e-5);
}

TEST_F(LinearTest, GeluIsTheExactOne) {
  const at::Tensor y = at::matmul(x_, weight_.t()) + bias_;
  const at::Tensor expected = 0.5 * y * (1 + at::erf(y / 1.4142135623730951));
  EXPECT_LT(MaxError(linear_.ForwardGelu(x_), expected), 1e-5);
}

TEST_F(LinearTest, AddLeavesTheResidualAlone) {
  const at::Tensor residual = at::randn({2, 7, 48}, random_);
  const at::Tensor before = residual.clone();
  const at::Tensor sum = linear_.ForwardAdd(x_, residual);
  EXPECT_LT(MaxError(sum, at::matmul(x_, weight_.t()) + bias_ + before), 1e-5);
  EXPECT_TRUE(residual.equal(before));
}

TEST_F(LinearTest, StridedInputIsRead) {
  const at::Tensor strided = at::randn({2, 20, 7}, random_).transpose(1, 2);
  EXPECT_LT(MaxError(linear_.Forward(strided), at::matmul(strided, weight_.t()) + bias_), 1e-5);
}

}  // namespace
}  // namespace objectdino
