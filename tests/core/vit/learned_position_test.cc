// SPDX-License-Identifier: Apache-2.0
#include "core/vit/learned_position.h"

#include <thread>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

at::Tensor RandomTable(int64_t side, int64_t width) {
  return at::randn({1, 1 + side * side, width}, at::detail::createCPUGenerator(5));
}

class LearnedPositionTest : public ::testing::TestWithParam<bool> {};

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

INSTANTIATE_TEST_SUITE_P(Antialias, LearnedPositionTest, ::testing::Bool());

TEST(LearnedPosition, AntialiasAveragesWhatItShrinks) {
  // A checkerboard of 1 and -1: plain bicubic picks single cells, anti-aliasing evens them out.
  const at::Tensor index = at::arange(16);
  const at::Tensor board = ((index.unsqueeze(1) + index) % 2 * 2 - 1).to(at::kFloat);
  const at::Tensor table = at::cat({at::zeros({1, 1, 1}), board.reshape({1, 256, 1})}, 1);
  const auto largest = [&](bool antialias) {
    const at::Tensor position = LearnedPosition(table, antialias, at::kCPU).For(5, 5);
    return position.narrow(1, 1, 25).abs().max().item<double>();
  };
  EXPECT_GT(largest(false), 0.5);
  EXPECT_LT(largest(true), 0.1);
}

}  // namespace
}  // namespace objectdino
