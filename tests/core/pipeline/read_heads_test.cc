// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/read_heads.h"

#include <cmath>

#include "ATen/ATen.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/heads/affinity.h"
#include "core/heads/cls_attention.h"
#include "core/heads/object_map.h"
#include "core/heads/value_features.h"
#include "tests/support/random_taps.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pointwise;

constexpr PatchGrid kGrid{5, 6, 14};
constexpr int kLayers = 4, kHeads = 4, kDim = 8;
constexpr Method kHeadMethods[] = {Method::kObjectDino, Method::kObjectDinoCut,
                                   Method::kObjectDinoPaper};

MATCHER(IsNear, "") { return std::abs(std::get<0>(arg) - std::get<1>(arg)) < 2e-5; }

ModelConfig Model() {
  ModelConfig model;
  model.layers = kLayers;
  model.heads = kHeads;
  model.width = kHeads * kDim;
  model.patch_size = kGrid.patch_size;
  return model;
}

std::vector<LayerTap> Taps() {
  return testing::RandomTaps(kLayers, 1 + kGrid.size(), kHeads, kDim, 21);
}

HeadEvidence MustRead(const std::vector<LayerTap>& taps, const GroundOptions& options) {
  auto evidence = ReadHeads(taps, kGrid, Model(), options);
  EXPECT_THAT(evidence, IsOk());
  return *std::move(evidence);
}

TEST(ReadHeads, ComponentAlone_EqualsThatComponentInTheOthersPlaces) {
  for (const Method method : kHeadMethods) {
    for (int r = 0; r < 3; ++r) {
      GroundOptions options;
      options.method = method;
      // The CLS attention of the copy differs, and with it the anchored map: that is not compared.
      const std::vector<LayerTap> taps = Taps();
      std::vector<LayerTap> copied;
      for (const LayerTap& tap : taps) {
        const at::Tensor qkv = tap.qkv.clone();  // [1, T, 3, H, d]
        for (int other = 0; other < 3; ++other) qkv.select(2, other).copy_(tap.qkv.select(2, r));
        copied.push_back({tap.layer, qkv});
      }
      const HeadEvidence expected = MustRead(copied, options);
      options.components = {.query = r == 0, .key = r == 1, .value = r == 2};
      const HeadEvidence alone = MustRead(taps, options);
      EXPECT_EQ(alone.heads, expected.heads) << MethodName(method) << " " << r;
      EXPECT_THAT(alone.affinity, Pointwise(IsNear(), expected.affinity));
      if (method == Method::kObjectDinoPaper) {
        EXPECT_THAT(alone.objectness, Pointwise(::testing::FloatNear(1e-3), expected.objectness));
      }
    }
  }
}

TEST(ReadHeads, ComponentsChangeTheMapOfEveryMethod) {
  for (const Method method : kHeadMethods) {
    GroundOptions options;
    options.method = method;
    options.head_selection = HeadSelection::kPreset;
    const HeadEvidence all = MustRead(Taps(), options);
    options.components = {.key = false, .value = false};
    EXPECT_NE(MustRead(Taps(), options).objectness, all.objectness) << MethodName(method);
  }
}

TEST(ReadHeads, LastLayer_LeavesTheSelectedHeadsOfTheLastLayer) {
  for (const Method method : kHeadMethods) {
    for (const HeadSelection selection : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      GroundOptions options;
      options.method = method;
      options.head_selection = selection;
      options.clusters = selection == HeadSelection::kClustered ? 2 : options.clusters;
      const HeadEvidence all = MustRead(Taps(), options);
      std::vector<HeadRef> expected;
      for (const HeadRef& ref : all.heads) {
        if (ref.layer == kLayers - 1) expected.push_back(ref);
      }
      ASSERT_LT(expected.size(), all.heads.size()) << "nothing to leave out";
      options.layer_scope = LayerScope::kLastLayer;
      const HeadEvidence last = MustRead(Taps(), options);
      EXPECT_THAT(last.heads, Not(IsEmpty()));
      EXPECT_EQ(last.heads, expected);
      EXPECT_NE(last.objectness, all.objectness);
    }
  }
}

TEST(ReadHeads, TemperatureOfThePaper_IsItsDefault) {
  GroundOptions options;
  options.method = Method::kObjectDinoPaper;
  const HeadEvidence by_default = MustRead(Taps(), options);
  options.temperature = 1 / std::sqrt(double{kDim});
  EXPECT_EQ(MustRead(Taps(), options).objectness, by_default.objectness);
  options.temperature = 20;
  EXPECT_NE(MustRead(Taps(), options).objectness, by_default.objectness);
}

TEST(ReadHeads, Temperature_SelectsTheHeadsThatExactDescriptorsDo) {
  GroundOptions paper;
  paper.method = Method::kObjectDinoPaper;
  GroundOptions linear;
  int different = 0;
  for (const double temperature : {1.0 / 8, 1.0, 5.0, 30.0}) {
    paper.temperature = temperature;
    GroundOptions exact;
    exact.temperature = temperature;
    const HeadEvidence evidence = MustRead(Taps(), exact);
    EXPECT_EQ(evidence.heads, MustRead(Taps(), paper).heads) << temperature;
    different += evidence.heads != MustRead(Taps(), linear).heads ? 1 : 0;
  }
  EXPECT_GT(different, 0) << "no temperature changes the heads: nothing was tested";
}

TEST(ReadHeads, HeadValues_AreThoseOfTheSelectedHeads_OnRequestOnly) {
  const std::vector<LayerTap> taps = Taps();
  for (const Method method : kHeadMethods) {
    for (const HeadSelection selection : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      GroundOptions options;
      options.method = method;
      options.head_selection = selection;
      const HeadEvidence without = MustRead(taps, options);
      EXPECT_THAT(without.head_values, IsEmpty()) << MethodName(method);
      options.embedding_source = EmbeddingSource::kObjectHeads;
      const HeadEvidence with = MustRead(taps, options);
      EXPECT_EQ(with.heads, without.heads);
      EXPECT_EQ(with.objectness, without.objectness);
      EXPECT_EQ(with.head_values.size(), kGrid.size() * with.heads.size() * kDim);
      EXPECT_EQ(with.head_values, ValueFeatures(taps, 1, with.heads));
    }
  }
}

TEST(ReadHeads, HeadValuesThatAreNotFinite_AreAnInternalError) {
  const std::vector<LayerTap> taps = Taps();
  taps.back().qkv.select(2, 2).fill_(std::nanf(""));  // values, of which nothing else is made
  GroundOptions options;
  options.head_selection = HeadSelection::kPreset;
  options.components = {.value = false};
  EXPECT_THAT(ReadHeads(taps, kGrid, Model(), options), IsOk());
  options.embedding_source = EmbeddingSource::kObjectHeads;
  EXPECT_THAT(ReadHeads(taps, kGrid, Model(), options),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("not finite")));
}

TEST(ReadHeads, MethodsWithoutHeads_ReadTheLastLayerOnly) {
  const std::vector<LayerTap> taps = Taps();
  GroundOptions options;
  options.method = Method::kTokenCut;
  EXPECT_EQ(MustRead(taps, options).affinity, KeyAffinity(taps.back(), 1));
  options.method = Method::kLost;
  EXPECT_EQ(MustRead(taps, options).affinity, KeyProducts(taps.back(), 1));
  options.method = Method::kClsAttention;
  const HeadEvidence attention = MustRead(taps, options);
  EXPECT_EQ(attention.objectness, MinMaxScale(ClsAttention(taps, 1, 1)));
  EXPECT_THAT(attention.heads, IsEmpty());
}

TEST(ReadHeads, EveryMethod_HasTheClsAttentionOfTheLastTwoLayers) {
  const std::vector<LayerTap> taps = Taps();
  for (const Method method : kAllMethods) {
    GroundOptions options;
    options.method = method;
    EXPECT_EQ(MustRead(taps, options).cls_attention, ClsAttention(taps, 1)) << MethodName(method);
  }
}

}  // namespace
}  // namespace objectdino
