// SPDX-License-Identifier: Apache-2.0
#include "core/heads/value_features.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/random_taps.h"

namespace objectdino {
namespace {

using ::testing::ElementsAreArray;

constexpr int kPrefix = 2, kTokens = 9, kPatches = kTokens - kPrefix, kHeads = 3, kDim = 4;
const std::vector<HeadRef> kSelected = {{0, 1}, {2, 0}, {2, 2}};

std::vector<LayerTap> Taps() { return testing::RandomTaps(3, kTokens, kHeads, kDim, 11); }

// The twin: plain loops in double.
std::vector<double> PlainValueFeatures(const std::vector<LayerTap>& taps,
                                       const std::vector<HeadRef>& heads) {
  std::vector<double> rows;
  for (int token = kPrefix; token < kTokens; ++token) {
    for (const HeadRef& ref : heads) {
      const auto qkv = taps[ref.layer].qkv.accessor<float, 5>();  // [1, T, 3, H, d]
      double square = 0;
      for (int c = 0; c < kDim; ++c) square += std::pow(qkv[0][token][2][ref.head][c], 2);
      for (int c = 0; c < kDim; ++c) {
        rows.push_back(qkv[0][token][2][ref.head][c] /
                       std::sqrt(square * static_cast<double>(heads.size())));
      }
    }
  }
  return rows;
}

// Values of head number `part` of kSelected in the row of `patch`.
std::vector<float> Part(const std::vector<float>& features, int patch, int part) {
  const auto begin = features.begin() + (patch * static_cast<int>(kSelected.size()) + part) * kDim;
  return {begin, begin + kDim};
}

TEST(ValueFeatures, EqualThePlainLoops) {
  const auto taps = Taps();
  const std::vector<float> fast = ValueFeatures(taps, kPrefix, kSelected);
  const std::vector<double> plain = PlainValueFeatures(taps, kSelected);
  ASSERT_EQ(fast.size(), kPatches * kSelected.size() * kDim);
  ASSERT_EQ(plain.size(), fast.size());
  for (size_t i = 0; i < fast.size(); ++i) ASSERT_NEAR(fast[i], plain[i], 1e-6) << i;
}

TEST(ValueFeatures, RowsHaveUnitLength) {
  const size_t width = kSelected.size() * kDim;
  const std::vector<float> features = ValueFeatures(Taps(), kPrefix, kSelected);
  for (size_t patch = 0; patch < kPatches; ++patch) {
    double square = 0;
    for (size_t c = 0; c < width; ++c) square += std::pow(features[patch * width + c], 2);
    EXPECT_NEAR(square, 1, 1e-6) << patch;
  }
}

TEST(ValueFeatures, PartsAreInTheOrderOfTheHeads) {
  const auto taps = Taps();
  std::vector<HeadRef> reversed = kSelected;
  std::reverse(reversed.begin(), reversed.end());
  const std::vector<float> features = ValueFeatures(taps, kPrefix, kSelected);
  const std::vector<float> backwards = ValueFeatures(taps, kPrefix, reversed);
  EXPECT_NE(backwards, features);
  for (int patch = 0; patch < kPatches; ++patch) {
    for (int part = 0; part < 3; ++part) {
      EXPECT_EQ(Part(backwards, patch, 2 - part), Part(features, patch, part));
    }
  }
}

TEST(ValueFeatures, ZeroVectorStaysZeroAndLeavesTheOthersAlone) {
  const auto taps = Taps();
  const std::vector<float> before = ValueFeatures(taps, kPrefix, kSelected);
  taps[2].qkv[0][kPrefix + 3][2][0].zero_();  // patch 3, part 1
  const std::vector<float> after = ValueFeatures(taps, kPrefix, kSelected);
  std::vector<float> expected = before;
  std::fill_n(expected.begin() + (3 * static_cast<int>(kSelected.size()) + 1) * kDim, kDim, 0.0f);
  EXPECT_THAT(after, ElementsAreArray(expected));
}

TEST(ValueFeatures, PrefixTokensQueriesAndKeysAreNotLookedAt) {
  const auto taps = Taps();
  const std::vector<float> before = ValueFeatures(taps, kPrefix, kSelected);
  for (const LayerTap& tap : taps) {
    tap.qkv.slice(1, 0, kPrefix).fill_(std::nanf(""));
    tap.qkv.slice(2, 0, 2).fill_(std::nanf(""));
  }
  EXPECT_THAT(ValueFeatures(taps, kPrefix, kSelected), ElementsAreArray(before));
}

}  // namespace
}  // namespace objectdino
