// SPDX-License-Identifier: Apache-2.0
#include "core/objects/normalized_cut.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/reference/normalized_cut_reference.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ResultOf;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kBothSolvers = {EigenSolver::kDense, EigenSolver::kIterative};

using Affinity = std::vector<float>;

// Cosines of random points; a drift along the index makes neighbours alike.
Affinity RandomCosines(int patches, int dims, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Eigen::MatrixXf x(dims, patches);
  for (int i = 0; i < patches; ++i) {
    for (int d = 0; d < dims; ++d) {
      const auto phase = static_cast<float>((d + 1) * i) / static_cast<float>(patches);
      x(d, i) = normal(engine) * 0.5F + std::sin(3 * phase + static_cast<float>(seed));
    }
  }
  x.colwise().normalize();
  const Eigen::MatrixXf a = x.transpose() * x;
  return Affinity(a.data(), a.data() + a.size());
}

// 1 between patches of the same group, `across` else.
Affinity Groups(const std::vector<int>& groups, float across) {
  Affinity affinity;
  for (const int a : groups) {
    for (const int b : groups) affinity.push_back(a == b ? 1 : across);
  }
  return affinity;
}

double AbsCosine(const std::vector<double>& a, const Eigen::VectorXd& b) {
  const Eigen::Map<const Eigen::VectorXd> x(a.data(), b.size());
  return std::abs(x.dot(b)) / x.norm() / b.norm();
}

NormalizedCut MustCut(const Affinity& affinity, double tau,
                      EigenSolver solver = EigenSolver::kAuto) {
  const auto patches = static_cast<int>(std::lround(std::sqrt(affinity.size())));
  auto cut = CutGraph(affinity, patches, {.tau = tau, .solver = solver});
  EXPECT_THAT(cut, IsOk());
  return *std::move(cut);
}

void ExpectFinite(const NormalizedCut& cut) {
  EXPECT_THAT(cut.fiedler, Each(ResultOf([](double y) { return std::isfinite(y); }, true)));
  EXPECT_TRUE(cut.eigenvalue >= 0 && cut.eigenvalue <= 2) << cut.eigenvalue;
  EXPECT_TRUE(cut.eigengap >= 0 && cut.eigengap <= 2) << cut.eigengap;
}

TEST(CutGraph, RandomGraphs_BothSolversEqualTheGeneralisedProblem) {
  int compared = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const int patches = 20 + static_cast<int>(seed * 13 % 150);
    const double tau = -0.2 + 0.1 * (seed % 8);
    const Affinity affinity = RandomCosines(patches, 3 + static_cast<int>(seed % 6), seed);
    const auto expected = reference::SolveBinaryCut(affinity, patches, tau);
    for (const EigenSolver solver : kBothSolvers) {
      const NormalizedCut cut = MustCut(affinity, tau, solver);
      if (cut.degenerate) continue;
      EXPECT_NEAR(cut.eigenvalue, expected.second, 1e-9) << "seed " << seed;
      EXPECT_NEAR(cut.eigengap, expected.third - expected.second, 1e-5) << "seed " << seed;
      if (expected.third - expected.second < 1e-5) continue;
      EXPECT_GT(AbsCosine(cut.fiedler, expected.fiedler), 1 - 1e-6) << "seed " << seed;
      ++compared;
    }
  }
  EXPECT_GT(compared, 80);
}

TEST(CutGraph, TwoBlocks_AreCutExactly) {
  const std::vector<int> groups = {0, 1, 1, 0, 1, 0, 0, 1, 1, 1};
  for (const EigenSolver solver : kBothSolvers) {
    const NormalizedCut cut = MustCut(Groups(groups, 0.1F), 0.6, solver);
    EXPECT_FALSE(cut.degenerate);
    EXPECT_EQ(cut.tau, 0.6);
    // The smaller side has the larger |y|.
    EXPECT_THAT(SplitBySeed(cut.fiedler).mask, ElementsAre(1, 0, 0, 1, 0, 1, 1, 0, 0, 0));
  }
}

TEST(CutGraph, LargeDisconnectedGraph_SplitsOffOneComponent) {
  std::vector<int> groups(300, 0);
  for (int i = 100; i < 300; ++i) groups[i] = 1;
  const NormalizedCut cut = MustCut(Groups(groups, 0), 0.6);
  const Bipartition sides = SplitBySeed(cut.fiedler);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(sides.mask[i], groups[i] == 0 ? 1 : 0) << i;
  EXPECT_NEAR(cut.eigenvalue, 1e-5 * 200 / 100 + 1e-5 * 100 / 200, 1e-7);
}

TEST(CutGraph, ThreeEqualBlocks_HaveNoGap) {
  std::vector<int> groups(150);
  for (int i = 0; i < 150; ++i) groups[i] = i % 3;
  for (const EigenSolver solver : kBothSolvers) {
    EXPECT_NEAR(MustCut(Groups(groups, 0), 0.6, solver).eigengap, 0, 1e-9);
  }
}

TEST(CutGraph, RingGraph_HasTheKnownEigenvalue) {
  const int n = 90;
  Affinity affinity(size_t{1} * n * n, 0);
  for (int i = 0; i < n; ++i) {
    for (const int j : {i, (i + 1) % n, (i + n - 1) % n}) affinity[i * n + j] = 1;
  }
  // Circulant: W has eigenvalue (1 - eps)(1 + 2 cos(2 pi / n)), every degree is 3 + eps (n - 3).
  const double eps = 1e-5;
  const double top = (1 - eps) * (1 + 2 * std::cos(2 * std::numbers::pi / n));
  for (const EigenSolver solver : kBothSolvers) {
    const NormalizedCut cut = MustCut(affinity, 0.5, solver);
    EXPECT_NEAR(cut.eigenvalue, 1 - top / (3 + eps * (n - 3)), 1e-8);
    EXPECT_NEAR(cut.eigengap, 0, 1e-6);  // sine and cosine share it
  }
}

TEST(CutGraph, FiedlerVector_IsUnitAndBalancedInTheDegreeNorm) {
  const int n = 120;
  const Affinity affinity = RandomCosines(n, 5, 3);
  const NormalizedCut cut = MustCut(affinity, 0.3);
  double sum = 0;
  double norm = 0;
  for (int i = 0; i < n; ++i) {
    double degree = 0;
    for (int j = 0; j < n; ++j) degree += affinity[i * n + j] > 0.3F ? 1 : 1e-5;
    sum += degree * cut.fiedler[i];
    norm += degree * cut.fiedler[i] * cut.fiedler[i];
  }
  EXPECT_NEAR(sum, 0, 1e-6);
  EXPECT_NEAR(norm, 1, 1e-9);
}

TEST(CutGraph, SameInput_GivesTheSameBits) {
  const Affinity affinity = RandomCosines(200, 6, 9);
  EXPECT_EQ(MustCut(affinity, 0.2).fiedler, MustCut(affinity, 0.2).fiedler);
}

TEST(CutGraph, CompleteGraphWithNegatives_IsCutAtHalfTheSmallest) {
  std::vector<int> groups(100);
  for (int i = 0; i < 100; ++i) groups[i] = i < 30 ? 0 : 1;
  for (const EigenSolver solver : kBothSolvers) {
    const NormalizedCut cut = MustCut(Groups(groups, -0.2F), -0.35, solver);
    EXPECT_TRUE(cut.degenerate);
    EXPECT_FLOAT_EQ(static_cast<float>(cut.tau), -0.1F);
    const Bipartition sides = SplitBySeed(cut.fiedler);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(sides.mask[i], i < 30 ? 1 : 0) << i;
  }
}

TEST(CutGraph, CompleteGraphOfPositives_IsCutAboveTheSmallest) {
  const NormalizedCut cut = MustCut(Groups({0, 1, 1, 0, 1}, 0.4F), 0.2);
  EXPECT_TRUE(cut.degenerate);
  EXPECT_FLOAT_EQ(static_cast<float>(cut.tau), 0.6F);
  EXPECT_THAT(SplitBySeed(cut.fiedler).mask, ElementsAre(1, 0, 0, 1, 0));
}

TEST(CutGraph, StillDegenerate_CutsTheWeightedGraph) {
  // 0.70 < 0.72 < 1.5 * 0.70: no threshold of the rule links anything.
  const Affinity affinity = {1,     0.72F, 0.70F, 0.70F,  //
                             0.72F, 1,     0.70F, 0.70F,  //
                             0.70F, 0.70F, 1,     0.71F,  //
                             0.70F, 0.70F, 0.71F, 1};
  const NormalizedCut cut = MustCut(affinity, 0.9);
  EXPECT_TRUE(cut.degenerate);
  EXPECT_EQ(cut.tau, 1e-5);
  const auto mask = SplitBySeed(cut.fiedler).mask;
  EXPECT_EQ(mask[0], mask[1]);
  EXPECT_EQ(mask[2], mask[3]);
  EXPECT_NE(mask[0], mask[2]);
}

TEST(CutGraph, OnlyTheDiagonal_IsDegenerateAndFinite) {
  for (const int n : {3, 64, 150}) {
    Affinity affinity(size_t{1} * n * n, 0);
    for (int i = 0; i < n; ++i) affinity[i * n + i] = 1;
    for (const EigenSolver solver : kBothSolvers) {
      const NormalizedCut cut = MustCut(affinity, 0.6, solver);
      EXPECT_TRUE(cut.degenerate);
      ExpectFinite(cut);
      EXPECT_NEAR(cut.eigengap, 0, 1e-6);
    }
  }
}

TEST(CutGraph, AllAffinitiesEqual_IsDegenerateAndFinite) {
  for (const float value : {-1.0F, 0.0F, 0.3F, 1.0F, 3e38F}) {
    for (const int n : {2, 3, 10, 150}) {
      for (const EigenSolver solver : kBothSolvers) {
        const NormalizedCut cut = MustCut(Affinity(size_t{1} * n * n, value), 0.6, solver);
        EXPECT_TRUE(cut.degenerate);
        ASSERT_EQ(cut.fiedler.size(), static_cast<size_t>(n));
        ExpectFinite(cut);
      }
    }
  }
}

TEST(CutGraph, TwoPatches_AreSeparated) {
  for (const double tau : {0.1, 0.6}) {
    const NormalizedCut cut = MustCut({1, 0.4F, 0.4F, 1}, tau);
    EXPECT_TRUE(cut.degenerate);
    ExpectFinite(cut);
    EXPECT_LT(cut.fiedler[0] * cut.fiedler[1], 0);
  }
}

TEST(CutGraph, ValueThatIsNotFinite_IsInvalid) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(CutGraph(Affinity{1, bad, bad, 1}, 2, {}),
                StatusIs(kInvalid, HasSubstr("not finite")));
    EXPECT_THAT(CutGraph(Affinity{1, 0, 0, 1}, 2, {.tau = bad}),
                StatusIs(kInvalid, HasSubstr("not finite")));
  }
}

TEST(CutGraph, SizeThatDoesNotFit_IsInvalid) {
  EXPECT_THAT(CutGraph(Affinity(5, 1), 2, {}), StatusIs(kInvalid, HasSubstr("5 affinities")));
  EXPECT_THAT(CutGraph(Affinity(1, 1), 1, {}), StatusIs(kInvalid, HasSubstr("1 squared")));
}

TEST(SplitBySeed, Seed_IsTheLargestMagnitudeAndItsSideTheObject) {
  const Bipartition sides = SplitBySeed(std::vector<double>{1, 2, -5, 0, -4});
  EXPECT_EQ(sides.seed, 2);
  EXPECT_THAT(sides.mask, ElementsAre(0, 0, 1, 0, 1));
}

TEST(SplitBySeed, Tie_TakesTheLowestIndex) {
  EXPECT_EQ(SplitBySeed(std::vector<double>{0, -3, 3, 0}).seed, 1);
}

TEST(SplitBySeed, SignAndScale_DoNotMatter) {
  const NormalizedCut cut = MustCut(RandomCosines(80, 5, 1), 0.3);
  std::vector<double> scaled = cut.fiedler;
  for (double& y : scaled) y *= -17;
  const Bipartition before = SplitBySeed(cut.fiedler);
  const Bipartition after = SplitBySeed(scaled);
  EXPECT_EQ(after.mask, before.mask);
  EXPECT_EQ(after.seed, before.seed);
}

TEST(SplitByWeights, HeavierSide_IsTheObjectAgainstTheSeedRule) {
  const std::vector<double> y = {1, 2, -5, 0, -4};
  const std::vector<float> weights = {0.3F, 0.3F, 0.1F, 0.2F, 0.1F};
  const Bipartition sides = SplitByWeights(y, weights);
  EXPECT_EQ(sides.seed, 1);
  EXPECT_THAT(sides.mask, ElementsAre(1, 1, 0, 1, 0));
  EXPECT_NE(sides.mask, SplitBySeed(y).mask);
}

TEST(SplitByWeights, Mean_DecidesAndNotTheSum) {
  const std::vector<double> y = {-1, -1, -1, -1, 3};
  const std::vector<float> weights = {0.2F, 0.2F, 0.2F, 0.1F, 0.3F};
  EXPECT_THAT(SplitByWeights(y, weights).mask, ElementsAre(0, 0, 0, 0, 1));
}

TEST(SplitByWeights, SignAndScale_DoNotMatter) {
  const NormalizedCut cut = MustCut(RandomCosines(80, 5, 2), 0.3);
  std::vector<float> weights(80);
  std::iota(weights.begin(), weights.end(), 0.0F);
  std::vector<double> scaled = cut.fiedler;
  for (double& y : scaled) y *= -0.01;
  const Bipartition before = SplitByWeights(cut.fiedler, weights);
  const Bipartition after = SplitByWeights(scaled, weights);
  EXPECT_EQ(after.mask, before.mask);
  EXPECT_EQ(after.seed, before.seed);
}

TEST(SplitByWeights, ConstantVector_KeepsASideThatHoldsTheSeed) {
  const Bipartition sides =
      SplitByWeights(std::vector<double>{0, 0, 0}, std::vector<float>{1, 1, 1});
  EXPECT_EQ(sides.mask[sides.seed], 1);
}

}  // namespace
}  // namespace objectdino
