// SPDX-License-Identifier: Apache-2.0
#include "core/vit/learned_position.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

at::Tensor RandomTable(int64_t side, int64_t width) {
  return at::randn({1, 1 + side * side, width}, at::detail::createCPUGenerator(5));
}

class LearnedPositionTest : public ::testing::TestWithParam<PositionRule> {};

TEST_P(LearnedPositionTest, OwnGridIsTheTable) {
  const at::Tensor table = RandomTable(5, 4);
  EXPECT_TRUE(LearnedPosition(table, GetParam(), at::kCPU).For(5, 5).equal(table));
}

TEST_P(LearnedPositionTest, ClsPositionIsNeverTouched) {
  const at::Tensor table = RandomTable(5, 4);
  const at::Tensor position = LearnedPosition(table, GetParam(), at::kCPU).For(3, 7);
  ASSERT_EQ(position.sizes().vec(), (std::vector<int64_t>{1, 22, 4}));
  EXPECT_TRUE(position.select(1, 0).equal(table.select(1, 0)));
}

TEST_P(LearnedPositionTest, ConstantTableStaysConstant) {
  const at::Tensor position =
      LearnedPosition(at::full({1, 26, 2}, 3.F), GetParam(), at::kCPU).For(8, 2);
  EXPECT_LT((position - 3).abs().max().item<double>(), 1e-5);
}

TEST_P(LearnedPositionTest, RowsVaryAlongTheFirstAxis) {
  // Patch (row, col) holds its row: interpolated to any grid it must not depend on the column.
  const at::Tensor rows = at::arange(5, at::kFloat).view({1, 5, 1, 1}).expand({1, 5, 5, 1});
  const at::Tensor table = at::cat({at::zeros({1, 1, 1}), rows.reshape({1, 25, 1})}, 1);
  const at::Tensor position =
      LearnedPosition(table, GetParam(), at::kCPU).For(4, 9).narrow(1, 1, 36).view({4, 9});
  EXPECT_LT((position - position.narrow(1, 0, 1)).abs().max().item<double>(), 1e-5);
  EXPECT_GT((position[3][0] - position[0][0]).item<double>(), 2);
}

TEST_P(LearnedPositionTest, CachedGridEqualsAFreshOne) {
  const at::Tensor table = RandomTable(5, 4);
  const LearnedPosition position(table, GetParam(), at::kCPU);
  const at::Tensor first = position.For(3, 7);
  for (int64_t rows = 6; rows < 20; ++rows) position.For(rows, 4);  // pushes (3, 7) out
  EXPECT_TRUE(position.For(3, 7).equal(first));
  EXPECT_TRUE(position.For(3, 7).equal(first));
  EXPECT_FALSE(position.For(7, 3).equal(first));
}

TEST_P(LearnedPositionTest, ConcurrentGridsDoNotMix) {
  const at::Tensor table = RandomTable(5, 4);
  const LearnedPosition position(table, GetParam(), at::kCPU);
  std::vector<at::Tensor> expected;
  for (int64_t rows = 0; rows < 12; ++rows) {
    expected.push_back(LearnedPosition(table, GetParam(), at::kCPU).For(rows + 1, 6));
  }
  const auto ask = [&](bool* same) {
    for (int64_t i = 0; i < 240; ++i) {
      *same = *same && position.For(i % 12 + 1, 6).equal(expected[static_cast<size_t>(i % 12)]);
    }
  };
  bool same[2] = {true, true};
  std::thread other(ask, &same[0]);
  ask(&same[1]);
  other.join();
  EXPECT_TRUE(same[0]);
  EXPECT_TRUE(same[1]);
}

INSTANTIATE_TEST_SUITE_P(Rules, LearnedPositionTest,
                         ::testing::Values(PositionRule::kLearnedOffset, PositionRule::kLearnedSize,
                                           PositionRule::kLearnedSizeAntialias));

TEST(LearnedPosition, AntialiasAveragesWhatItShrinks) {
  // A checkerboard of 1 and -1: plain bicubic picks single cells, anti-aliasing evens them out.
  const at::Tensor index = at::arange(16);
  const at::Tensor board = ((index.unsqueeze(1) + index) % 2 * 2 - 1).to(at::kFloat);
  const at::Tensor table = at::cat({at::zeros({1, 1, 1}), board.reshape({1, 256, 1})}, 1);
  const auto largest = [&](PositionRule rule) {
    const at::Tensor position = LearnedPosition(table, rule, at::kCPU).For(5, 5);
    return position.narrow(1, 1, 25).abs().max().item<double>();
  };
  EXPECT_GT(largest(PositionRule::kLearnedSize), 0.5);
  EXPECT_LT(largest(PositionRule::kLearnedSizeAntialias), 0.1);
}

// Cubic convolution with a = -0.75 at place x of `line`, indices clamped.
double Cubic(const std::vector<double>& line, double x) {
  constexpr double kA = -0.75;
  const auto kernel = [](double t) {
    t = std::abs(t);
    if (t <= 1) return ((kA + 2) * t - (kA + 3)) * t * t + 1;
    return t < 2 ? ((kA * t - 5 * kA) * t + 8 * kA) * t - 4 * kA : 0.0;
  };
  const int floor = static_cast<int>(std::floor(x));
  double sum = 0;
  for (int i = floor - 1; i <= floor + 2; ++i) {
    sum += kernel(x - i) * line[std::clamp(i, 0, static_cast<int>(line.size()) - 1)];
  }
  return sum;
}

// The originals sample at (i + 0.5) M / (size + 0.1) - 0.5, the others at (i + 0.5) M / size - 0.5.
TEST(LearnedPosition, SamplesWhereTheRuleSays) {
  constexpr int kSide = 6;
  std::vector<double> line = {3, -1, 4, 1, -5, 9};
  const at::Tensor column = at::tensor(line, at::kFloat).view({1, kSide, 1, 1});
  const at::Tensor grid = column.expand({1, kSide, kSide, 1}).reshape({1, kSide * kSide, 1});
  const at::Tensor table = at::cat({at::zeros({1, 1, 1}), grid}, 1);
  const std::pair<PositionRule, double> rules[] = {{PositionRule::kLearnedOffset, 0.1},
                                                   {PositionRule::kLearnedSize, 0}};
  for (const auto& [rule, offset] : rules) {
    for (const int rows : {1, 3, 5, 6, 14}) {  // 6 x 9 is the table's side, and no table
      const at::Tensor position =
          LearnedPosition(table, rule, at::kCPU).For(rows, 9).narrow(1, 1, rows * 9);
      for (int row = 0; row < rows; ++row) {
        const double place = (row + 0.5) * kSide / (rows + offset) - 0.5;
        EXPECT_NEAR(position[0][row * 9 + 4][0].item<double>(), Cubic(line, place), 2e-4)
            << "row " << row << " of " << rows << ", offset " << offset;
      }
    }
  }
}

}  // namespace
}  // namespace objectdino
