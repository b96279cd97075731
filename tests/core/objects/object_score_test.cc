// SPDX-License-Identifier: Apache-2.0
#include "core/objects/object_score.h"

#include <cmath>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/reference/object_score_reference.h"

namespace objectdino {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

constexpr PatchGrid kGrid{16, 16, 14};

// A square of side `side` at (row, col), `inside` there and `outside` elsewhere.
struct Square {
  std::vector<float> map = std::vector<float>(kGrid.size(), 0.0f);
  std::vector<uint8_t> mask = std::vector<uint8_t>(kGrid.size(), 0);
};

Square Draw(int row, int col, int side, float inside, float outside) {
  Square square;
  square.map.assign(kGrid.size(), outside);
  for (int r = row; r < row + side; ++r) {
    for (int c = col; c < col + side; ++c) {
      square.map[r * kGrid.cols + c] = inside;
      square.mask[r * kGrid.cols + c] = 1;
    }
  }
  return square;
}

double Score(const Square& s, RegionKind kind = RegionKind::kObject) {
  return ObjectScore(s.map, s.mask, kGrid, kind);
}

TEST(ObjectScore, RandomRegions_EqualTheTwin) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 engine(seed);
    const PatchGrid grid{1 + static_cast<int>(engine() % 9), 1 + static_cast<int>(engine() % 9),
                         14};
    std::uniform_real_distribution<float> uniform;
    std::vector<float> map;
    std::vector<uint8_t> mask;
    for (int i = 0; i < grid.size(); ++i) {
      map.push_back(uniform(engine));
      mask.push_back(uniform(engine) < 0.3f ? 1 : 0);
    }
    mask[engine() % mask.size()] = 1;
    const double z = reference::ScoreLogit(map, mask, grid);
    EXPECT_NEAR(ObjectScore(map, mask, grid, RegionKind::kProposal), 1 / (1 + std::exp(-z)), 1e-9);
    EXPECT_NEAR(ObjectScore(map, mask, grid, RegionKind::kObject), 1 / (1 + std::exp(-z - 1.7)),
                1e-9);
  }
}

TEST(ObjectScore, RisesWithContrast) {
  EXPECT_GT(Score(Draw(4, 4, 8, 0.9f, 0.1f)), Score(Draw(4, 4, 8, 0.6f, 0.4f)));
  EXPECT_GT(Score(Draw(4, 4, 8, 0.6f, 0.4f)), Score(Draw(4, 4, 8, 0.4f, 0.6f)));
}

TEST(ObjectScore, ClearObjectsAreAboveOneHalf_SpecksBelow) {
  EXPECT_GT(Score(Draw(4, 4, 8, 0.9f, 0.1f)), 0.5);
  EXPECT_LT(Score(Draw(4, 4, 2, 0.6f, 0.3f)), 0.5);
}

TEST(ObjectScore, IsLowerForAProposal) {
  const Square square = Draw(4, 4, 8, 0.8f, 0.2f);
  EXPECT_LT(Score(square, RegionKind::kProposal), Score(square, RegionKind::kObject));
}

TEST(ObjectScore, WholeGridAndBlackMaps_StayInRange) {
  EXPECT_THAT(Score(Draw(0, 0, 16, 1, 1)), AllOf(Ge(0), Le(1)));
  EXPECT_THAT(Score(Draw(3, 3, 2, 0, 0)), AllOf(Ge(0), Le(1)));
}

}  // namespace
}  // namespace objectdino
