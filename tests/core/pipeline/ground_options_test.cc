// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/ground_options.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::HasSubstr;

ModelConfig Model() {
  ModelConfig model;
  model.layers = 12;
  model.heads = 6;
  model.width = 384;
  model.patch_size = 14;
  return model;
}

TEST(GroundOptions, DefaultsAreValid) { EXPECT_THAT(GroundOptions{}.Validate(Model()), IsOk()); }

TEST(GroundOptions, OutOfRangeNamesFieldRangeAndValue) {
  struct Case {
    void (*spoil)(GroundOptions&);
    const char* message;
  };
  const Case cases[] = {
      {[](GroundOptions& o) { o.clusters = 1; }, "clusters must be in [2, 64], got 1"},
      {[](GroundOptions& o) { o.clusters = 65; }, "clusters must be in [2, 64], got 65"},
      {[](GroundOptions& o) { o.input_size = 13; }, "input_size must be in [14, 1024], got 13"},
      {[](GroundOptions& o) { o.input_size = 1025; }, "input_size must be in [14, 1024], got 1025"},
      {[](GroundOptions& o) { o.method = Method::kObjectDinoCut, o.input_size = 574; },
       "input_size must be in [14, 560], got 574"},
      {[](GroundOptions& o) { o.max_objects = 0; }, "max_objects must be in [1, 100], got 0"},
      {[](GroundOptions& o) { o.min_score = 1.5; }, "min_score must be in [0, 1], got 1.5"},
      {[](GroundOptions& o) { o.min_score = std::nan(""); },
       "min_score must be in [0, 1], got nan"},
      {[](GroundOptions& o) { o.min_patches = -1; }, "min_patches must be in [0, "},
      {[](GroundOptions& o) { o.method = Method::kObjectDinoCut, o.tau = 1.1; },
       "affinity_threshold must be in [-1, 1], got 1.1"},
      {[](GroundOptions& o) { o.seed_rule = true; },
       "seed_rule has no effect on method OBJECT_DINO"},
      {[](GroundOptions& o) { o.tau = 0.6; },
       "affinity_threshold has no effect on method OBJECT_DINO"},
      {[](GroundOptions& o) { o.method = Method::kLost, o.tau = 0.6; },
       "affinity_threshold has no effect on method LOST"},
      {[](GroundOptions& o) { o.method = Method::kLost, o.input_size = 574; },
       "input_size must be in [14, 560], got 574"},
      {[](GroundOptions& o) { o.temperature = 0.125, o.input_size = 574; },
       "input_size must be in [14, 560], got 574"},
      {[](GroundOptions& o) { o.temperature = 0; }, "temperature must be in (0, 100], got 0"},
      {[](GroundOptions& o) { o.temperature = 101; }, "temperature must be in (0, 100], got 101"},
      {[](GroundOptions& o) { o.temperature = std::nan(""); },
       "temperature must be in (0, 100], got nan"},
      {[](GroundOptions& o) {
         o.components = {false, false, false};
       },
       "components must name at least one"},
  };
  for (const Case& c : cases) {
    GroundOptions options;
    c.spoil(options);
    EXPECT_THAT(options.Validate(Model()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

TEST(GroundOptions, QuadraticMethodsAreBoundInPatches) {
  for (const auto& [patch, largest] : {std::pair{8, 320}, {14, 560}, {16, 640}, {32, 1024}}) {
    ModelConfig model = Model();
    model.patch_size = patch;
    GroundOptions options;
    options.method = Method::kTokenCut;
    options.input_size = largest;
    EXPECT_THAT(options.Validate(model), IsOk()) << patch;
    options.input_size = largest + 1;
    EXPECT_THAT(options.Validate(model), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  HasSubstr(absl::StrCat(", ", largest, "]"))));
  }
}

constexpr const char* kHeadOptions[] = {"head_selection",  "clusters",    "seed",
                                        "components",      "layer_scope", "temperature",
                                        "embedding_source"};

TEST(GroundOptions, MethodsWithoutHeadsRefuseTheOptionsOfTheirChoice) {
  for (const Method method : {Method::kTokenCut, Method::kLost, Method::kClsAttention}) {
    GroundOptions options;
    options.method = method;
    EXPECT_THAT(options.Validate(Model()), IsOk());
    for (const char* name : kHeadOptions) {
      EXPECT_THAT(options.CheckEffect(name),
                  StatusIs(absl::StatusCode::kInvalidArgument,
                           std::string(name) + " has no effect on method " +
                               std::string(MethodName(method))));
    }
    options.layer_scope = LayerScope::kLastLayer;
    EXPECT_THAT(options.Validate(Model()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("layer_scope has no")));
    options.layer_scope = LayerScope::kAll;
    options.embedding_source = EmbeddingSource::kObjectHeads;
    EXPECT_THAT(options.Validate(Model()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("embedding_source has no")));
  }
}

TEST(GroundOptions, MethodsWithHeadsTakeTheOptionsOfTheirChoice) {
  for (const Method method :
       {Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper}) {
    GroundOptions options;
    options.method = method;
    for (const char* name : kHeadOptions) EXPECT_THAT(options.CheckEffect(name), IsOk()) << name;
  }
}

TEST(GroundOptions, PresetHeadsRefuseTheOptionsOfTheClusters) {
  GroundOptions options;
  options.head_selection = HeadSelection::kPreset;
  options.layer_scope = LayerScope::kLastLayer;
  options.components = {.query = false};
  options.embedding_source = EmbeddingSource::kObjectHeads;
  EXPECT_THAT(options.Validate(Model()), IsOk());
  options.clusters = 7;
  EXPECT_THAT(options.Validate(Model()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("clusters has no effect on head_selection PRESET")));
  EXPECT_THAT(options.CheckEffect("temperature"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("PRESET")));
  options.method = Method::kObjectDinoPaper;  // its map is made of the descriptors
  EXPECT_THAT(options.CheckEffect("temperature"), IsOk());
}

TEST(GroundOptions, ProposalsJoinTheRegionsOfEveryMethod) {
  for (const Method method : kAllMethods) {
    GroundOptions options;
    options.method = method;
    options.proposals = true;
    EXPECT_THAT(options.Validate(Model()), IsOk()) << MethodName(method);
  }
}

TEST(GroundOptions, ThresholdIsOfTheCuts) {
  for (const Method method : kAllMethods) {
    GroundOptions options;
    options.method = method;
    const bool cuts = method == Method::kObjectDinoCut || method == Method::kObjectDinoPaper ||
                      method == Method::kTokenCut;
    EXPECT_EQ(options.CheckEffect("affinity_threshold").ok(), cuts) << MethodName(method);
  }
}

TEST(GroundOptions, ClustersAreBoundedByTheNumberOfHeads) {
  ModelConfig model = Model();
  model.layers = 2;
  model.heads = 2;
  EXPECT_THAT(
      GroundOptions{}.Validate(model),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("clusters must be in [2, 4], got 5")));
}

}  // namespace
}  // namespace objectdino
