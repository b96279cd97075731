// SPDX-License-Identifier: Apache-2.0
#include "core/vit/rotary_position.h"

#include <cmath>
#include <numbers>

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

constexpr int kDim = 16;
constexpr int kPrefix = 3;

RotaryPosition Make() { return RotaryPosition(RotaryPeriods(100, kDim), kPrefix, at::kCPU); }

// [T, 2, H, d]
at::Tensor RandomHeads(int64_t tokens) {
  return at::randn({tokens, 2, 3, kDim}, at::detail::createCPUGenerator(3));
}

double Dot(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum().item<double>(); }

TEST(RotaryPeriods, AreAGeometricSeries) {
  const at::Tensor periods = RotaryPeriods(100, 64);
  ASSERT_EQ(periods.size(0), 16);
  for (int i = 0; i < 16; ++i) {
    EXPECT_NEAR(periods[i].item<double>(), std::pow(100.0, i / 16.0), 1e-4) << i;
  }
}

// One pair of numbers after the other, in double.
TEST(Rotation, TurnsEveryPairByItsAngle) {
  constexpr int kRows = 3, kCols = 5;
  const at::Tensor x = RandomHeads(kPrefix + kRows * kCols);
  const at::Tensor turned = Make().For(kRows, kCols).Apply(x);
  ASSERT_EQ(turned.sizes(), x.sizes());
  const auto in = x.accessor<float, 4>();
  const auto out = turned.accessor<float, 4>();
  for (int row = 0; row < kRows; ++row) {
    for (int col = 0; col < kCols; ++col) {
      const int token = kPrefix + row * kCols + col;
      for (int i = 0; i < kDim / 2; ++i) {
        const bool vertical = i < kDim / 4;
        const double place = vertical ? 2 * (row + 0.5) / kRows - 1 : 2 * (col + 0.5) / kCols - 1;
        const double period = std::pow(100.0, (i % (kDim / 4)) / (kDim / 4.0));
        const double angle = 2 * std::numbers::pi * place / period;
        const double a = in[token][1][2][i];
        const double b = in[token][1][2][i + kDim / 2];
        EXPECT_NEAR(out[token][1][2][i], a * std::cos(angle) - b * std::sin(angle), 1e-5);
        EXPECT_NEAR(out[token][1][2][i + kDim / 2], b * std::cos(angle) + a * std::sin(angle),
                    1e-5);
      }
    }
  }
}

TEST(Rotation, LeavesPrefixTokensAndLengthsAlone) {
  const at::Tensor x = RandomHeads(kPrefix + 8);
  const at::Tensor turned = Make().For(2, 4).Apply(x);
  EXPECT_TRUE(turned.narrow(0, 0, kPrefix).equal(x.narrow(0, 0, kPrefix)));
  EXPECT_LT((turned.norm(2, -1) - x.norm(2, -1)).abs().max().item<double>(), 1e-5);
  EXPECT_GT((turned - x).abs().amax({1, 2, 3}).narrow(0, kPrefix, 8).min().item<double>(), 0.1);
}

TEST(Rotation, DefaultOneLeavesEverythingAlone) {
  const at::Tensor x = RandomHeads(4);
  EXPECT_TRUE(Rotation().Apply(x).is_same(x));
}

// What attention sees of two patches depends on the way from one to the other alone.
TEST(Rotation, ProductsDependOnTheDifferenceOfPlaces) {
  const at::Tensor one = RandomHeads(1);
  const at::Tensor x = one.expand({kPrefix + 6 * 6, 2, 3, kDim});
  const at::Tensor turned = Make().For(6, 6).Apply(x);
  const auto product = [&](int row1, int col1, int row2, int col2) {
    return Dot(turned[kPrefix + row1 * 6 + col1][0], turned[kPrefix + row2 * 6 + col2][1]);
  };
  EXPECT_NEAR(product(0, 1, 2, 4), product(3, 2, 5, 5), 1e-4);
  EXPECT_GT(std::abs(product(0, 1, 2, 4) - product(2, 1, 0, 4)), 1e-2);
  EXPECT_GT(std::abs(product(0, 1, 2, 4) - product(0, 1, 4, 2)), 1e-2);
}

TEST(RotaryPosition, GridsDoNotMix) {
  const RotaryPosition position = Make();
  const at::Tensor wide = position.For(2, 6).cos;
  EXPECT_FALSE(position.For(6, 2).cos.equal(wide));
  EXPECT_TRUE(position.For(2, 6).cos.equal(wide));
}

}  // namespace
}  // namespace objectdino
