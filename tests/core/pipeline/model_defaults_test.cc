// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/model_defaults.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ModelConfig Model(ModelFamily family, int width, int patch, int registers) {
  ModelConfig model;
  model.family = family;
  model.layers = 12;
  model.heads = width / 64;
  model.width = width;
  model.patch_size = patch;
  model.registers = registers;
  return model;
}

const ModelConfig kSmall = Model(ModelFamily::kDinov2, 384, 14, 0);
const ModelConfig kWithRegisters = Model(ModelFamily::kDinov2, 384, 14, 4);
const ModelConfig kBase = Model(ModelFamily::kDinov2, 768, 14, 0);
const ModelConfig kDino = Model(ModelFamily::kDino, 384, 8, 0);
const ModelConfig kDinov3 = Model(ModelFamily::kDinov3, 768, 16, 4);

GroundOptions Cut(Method method) {
  GroundOptions options;
  options.method = method;
  return options;
}

TEST(ModelDefaults, SuitEveryModelAndMethod) {
  for (const ModelConfig& model : {kSmall, kWithRegisters, kBase, kDino, kDinov3}) {
    const ModelDefaults& defaults = DefaultsOf(model);
    EXPECT_EQ(defaults.input_size.value % model.patch_size, 0) << defaults.models;
    for (const Method method : kAllMethods) {
      GroundOptions options = Cut(method);
      options.input_size = defaults.input_size.value;
      options.head_selection = defaults.head_selection.value;
      EXPECT_THAT(options.Validate(model), IsOk()) << defaults.models << MethodName(method);
    }
  }
}

TEST(ModelDefaults, ThresholdsAreTheModels) {
  EXPECT_EQ(TauOf(Cut(Method::kObjectDinoCut), kSmall), 0.6);
  EXPECT_EQ(TauOf(Cut(Method::kTokenCut), kSmall), 0.85);
  EXPECT_EQ(TauOf(Cut(Method::kTokenCut), kDino), 0.2);
  EXPECT_EQ(TauOf(Cut(Method::kObjectDinoCut), kDinov3), -0.35);
  GroundOptions set = Cut(Method::kTokenCut);
  set.tau = 0.4;
  EXPECT_EQ(TauOf(set, kDino), 0.4);
}

TEST(ModelDefaults, MeasuredModelNeedsNoWarning) {
  for (const Method method : kAllMethods) {
    EXPECT_THAT(UnmeasuredDefaults(Cut(method), kSmall), IsEmpty()) << MethodName(method);
  }
}

TEST(ModelDefaults, OtherModelsNameWhatWasNotMeasured) {
  for (const ModelConfig& model : {kWithRegisters, kBase, kDino}) {
    EXPECT_THAT(UnmeasuredDefaults({}, model),
                HasSubstr("input_size (of another model), head_selection (of another model);"));
  }
  EXPECT_THAT(UnmeasuredDefaults(Cut(Method::kObjectDinoPaper), kDinov3),
              HasSubstr("input_size (published), head_selection (published), "
                        "affinity_threshold (published);"));
  EXPECT_THAT(
      UnmeasuredDefaults(Cut(Method::kTokenCut), kDinov3),
      AllOf(HasSubstr("affinity_threshold (of another model)"), Not(HasSubstr("head_selection"))));
}

TEST(ModelDefaults, WhatIsSetIsNoDefault) {
  GroundOptions options = Cut(Method::kObjectDinoCut);
  options.chosen.input_size = true;
  EXPECT_THAT(UnmeasuredDefaults(options, kDino),
              AllOf(Not(HasSubstr("input_size")), HasSubstr("head_selection"),
                    HasSubstr("affinity_threshold")));
  options.chosen.head_selection = true;
  EXPECT_THAT(UnmeasuredDefaults(options, kDino), HasSubstr(": affinity_threshold ("));
  options.tau = 0.3;
  EXPECT_THAT(UnmeasuredDefaults(options, kDino), IsEmpty());
}

TEST(ModelDefaults, RandomWeightsAreWarnedOfOtherwise) {
  ModelConfig random = kDino;
  random.random_weights = true;
  EXPECT_THAT(UnmeasuredDefaults({}, random), IsEmpty());
}

TEST(ModelDefaults, ObjectsAreHiddenOnlyWhereTheThresholdWasMeasured) {
  EXPECT_EQ(DefaultsOf(kSmall).alike_patches, 0.94);
  for (const ModelConfig& model : {kWithRegisters, kBase, kDino, kDinov3}) {
    EXPECT_FALSE(DefaultsOf(model).alike_patches.has_value());
  }
}

}  // namespace
}  // namespace objectdino
