// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/auroc.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"

namespace objectdino {
namespace {

// Every pair of a positive and a negative, by the definition.
double PairwiseAuroc(const std::vector<LabelledScore>& scores, const std::vector<int>& counts) {
  double wins = 0;
  double pairs = 0;
  for (const LabelledScore& a : scores) {
    for (const LabelledScore& b : scores) {
      if (!a.positive || b.positive) continue;
      const double weight = static_cast<double>(counts[a.image]) * counts[b.image];
      pairs += weight;
      wins += weight * (a.score > b.score ? 1 : a.score == b.score ? 0.5 : 0);
    }
  }
  return wins / pairs;
}

TEST(Auroc, EqualsAllPairs_WithTiesAndCounts) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<LabelledScore> scores;
    for (int i = 0; i < 30; ++i) {
      scores.push_back(
          {static_cast<double>(random() % 8), i < 2 ? i == 0 : random() % 3 == 0, i % 6});
    }
    std::vector<int> counts;
    for (int i = 0; i < 6; ++i) counts.push_back(1 + static_cast<int>(random() % 3));
    EXPECT_NEAR(Auroc(scores).Value(counts), PairwiseAuroc(scores, counts), 1e-12) << trial;
    EXPECT_NEAR(Auroc(scores).Value(), PairwiseAuroc(scores, {1, 1, 1, 1, 1, 1}), 1e-12) << trial;
  }
}

TEST(Auroc, PerfectAndInverted) {
  EXPECT_EQ(Auroc({{0.9, true, 0}, {0.1, false, 0}}).Value(), 1);
  EXPECT_EQ(Auroc({{0.1, true, 0}, {0.9, false, 0}}).Value(), 0);
}

TEST(Auroc, OneKindOnly_IsNoNumber) {
  EXPECT_TRUE(std::isnan(Auroc({{0.9, true, 0}}).Value()));
  EXPECT_TRUE(std::isnan(Auroc({{0.9, true, 0}, {0.1, false, 1}}).Value({2, 0})));
  EXPECT_TRUE(std::isnan(Auroc({}).Value()));
}

}  // namespace
}  // namespace objectdino
