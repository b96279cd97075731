// SPDX-License-Identifier: Apache-2.0
#include "core/objects/patch_graph.h"

#include <random>

#include "gtest/gtest.h"

namespace objectdino {
namespace {

std::vector<float> RandomAffinity(int patches, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> affinity(size_t{1} * patches * patches, 1);
  for (int i = 0; i < patches; ++i) {
    for (int j = 0; j < i; ++j) {
      affinity[i * patches + j] = affinity[j * patches + i] = uniform(engine);
    }
  }
  return affinity;
}

Eigen::VectorXd Times(const PatchGraph& graph, const Eigen::VectorXd& x) {
  Eigen::VectorXd y(x.size());
  graph.Multiply(x.data(), y.data());
  return y;
}

TEST(PatchGraph, BinaryMultiply_EqualsTheDenseProductForAllRemaindersOfEight) {
  for (int n = 1; n <= 40; ++n) {
    const auto affinity = RandomAffinity(n, n);
    Eigen::MatrixXd dense(n, n);
    for (int i = 0; i < n * n; ++i) dense(i / n, i % n) = affinity[i] > 0.25F ? 1 : 1e-5;
    const Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(n, -1, 2);
    EXPECT_LT((Times(PatchGraph::Binary(affinity, n, 0.25), x) - dense * x).norm(), 1e-12) << n;
  }
}

TEST(PatchGraph, WeightedMultiply_RaisesWeakEdges) {
  const int n = 13;
  const auto affinity = RandomAffinity(n, 2);
  Eigen::MatrixXd dense(n, n);
  for (int i = 0; i < n * n; ++i) dense(i / n, i % n) = std::max(1e-5, double{affinity[i]});
  const Eigen::VectorXd x = Eigen::VectorXd::LinSpaced(n, -1, 2);
  EXPECT_LT((Times(PatchGraph::Weighted(affinity, n), x) - dense * x).norm(), 1e-12);
}

TEST(PatchGraph, UpperTriangle_IsNotRead) {
  std::vector<float> affinity = {1, -9, -9, 0.5, 1, -9, 0.2, 0.7, 1};
  const Eigen::Vector3d x(1, 2, 3);
  const Eigen::VectorXd binary = Times(PatchGraph::Binary(affinity, 3, 0.4), x);
  const Eigen::VectorXd weighted = Times(PatchGraph::Weighted(affinity, 3), x);
  EXPECT_NEAR(binary[0], 3 + 3e-5, 1e-12);
  EXPECT_NEAR(weighted[0], 1 + 2 * 0.5 + 3 * 0.2F, 1e-7);
}

TEST(PatchGraph, ThresholdAtTheAffinity_DoesNotLink) {
  const std::vector<float> affinity = {1, 0.5, 0.5, 1};
  EXPECT_NEAR(Times(PatchGraph::Binary(affinity, 2, 0.5), Eigen::Vector2d(0, 1))[0], 1e-5, 1e-12);
}

TEST(PatchGraph, AllOrNoPairsLinked_IsUniform) {
  const std::vector<float> affinity = {1, 0.5, 0.1, 0.5, 1, 0.3, 0.1, 0.3, 1};
  EXPECT_TRUE(PatchGraph::Binary(affinity, 3, 0).IsUniform());
  EXPECT_FALSE(PatchGraph::Binary(affinity, 3, 0.2).IsUniform());
  EXPECT_FALSE(PatchGraph::Binary(affinity, 3, 0.4).IsUniform());
  EXPECT_TRUE(PatchGraph::Binary(affinity, 3, 0.6).IsUniform());
}

}  // namespace
}  // namespace objectdino
