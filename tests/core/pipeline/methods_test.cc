// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/methods.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/reference/lost_reference.h"
#include "tests/reference/normalized_cut_reference.h"
#include "tests/reference/regions_reference.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr PatchGrid kGrid{8, 10, 14};

auto IsLowConfidence() { return Field(&Warning::code, WarningCode::kLowConfidence); }

// Points of two clusters: a rectangle of patches, and the rest. Their products, or their cosines.
std::vector<float> TwoGroups(bool cosines, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 0.3F);
  Eigen::MatrixXf points(6, kGrid.size());
  for (int i = 0; i < kGrid.size(); ++i) {
    const int row = i / kGrid.cols, col = i % kGrid.cols;
    const bool inside = row >= 2 && row < 5 && col >= 3 && col < 7;
    for (int d = 0; d < 6; ++d)
      points(d, i) = normal(generator) + (inside == (d < 3) ? 1.0F : -0.4F);
  }
  if (cosines) points.colwise().normalize();
  const Eigen::MatrixXf products = points.transpose() * points;
  return {products.data(), products.data() + products.size()};
}

// A model whose defaults were measured.
ModelConfig Model() {
  ModelConfig model;
  model.width = 384;
  model.patch_size = 14;
  return model;
}

GroundOptions With(Method method, double tau = GroundOptions::kTauOfMethod) {
  GroundOptions options;
  options.method = method;
  options.tau = tau;
  return options;
}

Discovery MustDiscover(HeadEvidence evidence, const GroundOptions& options,
                       const PatchGrid& grid = kGrid) {
  auto found = DiscoverObjects(std::move(evidence), grid, options, Model());
  EXPECT_THAT(found, IsOk());
  return *std::move(found);
}

// The component of `mask` that holds `seed`.
reference::Mask ComponentAt(reference::Mask mask, int seed) {
  reference::Mask component(mask.size(), 0);
  reference::Flood(seed / kGrid.cols, seed % kGrid.cols, kGrid, mask, component);
  return component;
}

TEST(TokenCut, MaskAndMapFollowFromTheGeneralisedEigenvector) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    HeadEvidence evidence;
    evidence.affinity = TwoGroups(/*cosines=*/true, seed);
    Eigen::VectorXd y = reference::SolveBinaryCut(evidence.affinity, kGrid.size(), 0.5).fiedler;
    int peak = 0;
    y.cwiseAbs().maxCoeff(&peak);
    if (y[peak] < y.mean()) y = -y;
    reference::Mask side;
    for (const double value : y) side.push_back(value > y.mean() ? 1 : 0);
    const Discovery found = MustDiscover(evidence, With(Method::kTokenCut, 0.5));
    ASSERT_THAT(found.regions, SizeIs(1));
    EXPECT_EQ(found.regions[0].mask, ComponentAt(side, peak)) << "seed " << seed;
    EXPECT_THAT(found.warnings, IsEmpty());
    for (int j = 0; j < kGrid.size(); ++j) {
      ASSERT_NEAR(found.objectness[j], (y[j] - y.minCoeff()) / (y.maxCoeff() - y.minCoeff()), 1e-4)
          << "seed " << seed << ", patch " << j;
    }
  }
}

TEST(TokenCut, DefaultThresholdIsTheTunedOne) {
  HeadEvidence evidence;
  evidence.affinity = TwoGroups(/*cosines=*/true, 3);
  for (float& a : evidence.affinity) a = 0.8F + 0.2F * a;  // every pair above the published 0.2
  const Discovery by_default = MustDiscover(evidence, With(Method::kTokenCut));
  EXPECT_EQ(by_default.objectness,
            MustDiscover(evidence, With(Method::kTokenCut, 0.85)).objectness);
  EXPECT_THAT(by_default.warnings, IsEmpty());
}

TEST(TokenCut, CompleteGraphIsLowConfidenceWithARegion) {
  HeadEvidence evidence;
  evidence.affinity = TwoGroups(/*cosines=*/true, 4);
  for (float& a : evidence.affinity) a = 0.6F + 0.4F * a;
  ASSERT_GT(*std::min_element(evidence.affinity.begin(), evidence.affinity.end()), 0.2F);
  const Discovery found = MustDiscover(evidence, With(Method::kTokenCut, 0.2));
  EXPECT_THAT(found.warnings, Contains(IsLowConfidence()));
  EXPECT_THAT(found.regions, SizeIs(1));
}

TEST(Lost, MaskAndMapFollowFromTheNaiveTwin) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    HeadEvidence evidence;
    evidence.affinity = TwoGroups(/*cosines=*/false, seed);
    const auto slow = reference::ExpandSeed(evidence.affinity, kGrid.size(), 100);
    const Discovery found = MustDiscover(evidence, With(Method::kLost));
    ASSERT_THAT(found.regions, SizeIs(1));
    EXPECT_EQ(found.regions[0].mask, ComponentAt(slow.mask, slow.seed)) << "seed " << seed;
    EXPECT_LT(found.regions[0].patches, kGrid.size()) << "nothing was told apart";
    const auto [low, high] = std::minmax_element(slow.similarity.begin(), slow.similarity.end());
    for (int j = 0; j < kGrid.size(); ++j) {
      ASSERT_NEAR(found.objectness[j], (slow.similarity[j] - *low) / (*high - *low), 1e-4);
    }
  }
}

TEST(Lost, EveryPatchAlikeIsTheWholeImageWithLowConfidence) {
  HeadEvidence evidence;
  evidence.affinity = TwoGroups(/*cosines=*/false, 1);
  for (float& a : evidence.affinity) a += 100;
  const Discovery found = MustDiscover(evidence, With(Method::kLost));
  EXPECT_EQ(found.regions[0].patches, kGrid.size());
  EXPECT_THAT(found.warnings, Contains(IsLowConfidence()));
}

TEST(ThresholdedMaps, LargestSumComesFirst) {
  for (const Method method : {Method::kObjectDino, Method::kClsAttention}) {
    HeadEvidence evidence;
    evidence.objectness.assign(kGrid.size(), 0.1F);
    evidence.objectness[5] = 1;
    for (const int patch : {41, 42, 43}) evidence.objectness[patch] = 0.8F;
    const Discovery found = MustDiscover(evidence, With(method));
    ASSERT_THAT(found.regions, SizeIs(2));
    EXPECT_EQ(found.regions[0].patches, 3);
    EXPECT_EQ(found.regions[1].mask[5], 1);
    EXPECT_EQ(found.objectness, evidence.objectness);
  }
}

TEST(Cut, SideFollowsTheClsAttentionOrTheSeed) {
  HeadEvidence evidence;
  evidence.affinity = TwoGroups(/*cosines=*/true, 6);
  evidence.objectness.assign(kGrid.size(), 0.5F);
  evidence.objectness[0] = 1;
  evidence.cls_attention.assign(kGrid.size(), 0.0F);
  for (const int attended : {3 * kGrid.cols + 4, 0}) {  // a patch of either group
    HeadEvidence turned = evidence;
    turned.cls_attention[attended] = 1;
    const Discovery found = MustDiscover(turned, With(Method::kObjectDinoCut, 0.5));
    ASSERT_THAT(found.regions, SizeIs(1));
    EXPECT_EQ(found.regions[0].mask[attended], 1) << attended;
    GroundOptions by_seed = With(Method::kObjectDinoCut, 0.5);
    by_seed.seed_rule = true;
    EXPECT_EQ(MustDiscover(turned, by_seed).regions[0].mask,
              MustDiscover(turned, With(Method::kObjectDinoPaper, 0.5)).regions[0].mask);
  }
}

TEST(Methods, MapWithoutContrastIsZerosWithoutRegions) {
  for (const Method method : kAllMethods) {
    HeadEvidence evidence;
    evidence.objectness.assign(kGrid.size(), 0.7F);
    evidence.cls_attention.assign(kGrid.size(), 0.1F);
    evidence.affinity.assign(static_cast<size_t>(kGrid.size()) * kGrid.size(), 1.0F);
    const Discovery found = MustDiscover(evidence, With(method));
    EXPECT_THAT(found.regions, IsEmpty()) << MethodName(method);
    EXPECT_THAT(found.objectness, SizeIs(kGrid.size()));
    EXPECT_THAT(found.objectness, Each(0.0F));
    EXPECT_THAT(found.warnings, Contains(Field(&Warning::code, WarningCode::kNoClearObject)));
  }
}

}  // namespace
}  // namespace objectdino
