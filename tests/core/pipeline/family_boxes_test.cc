// SPDX-License-Identifier: Apache-2.0
// From a file of every family to boxes on the image: patch sizes, prefix tokens, any aspect ratio;
// on the CPU, and on CUDA where there is a device.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/pipeline/grounder.h"
#include "tests/support/bright_model.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::BrightModel;
using ::objectdino::testing::BrightModelWriter;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::TempFolder;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointwise;
using ::testing::SizeIs;

// Null where there is no such device.
std::unique_ptr<Grounder> Load(const BrightModel& model, const char* device = "cpu") {
  const TempFolder folder;
  BrightModelWriter(model).WriteTo(folder);
  auto grounder = Grounder::Load({.model_dir = folder.path(), .device = device});
  if (absl::StrContains(grounder.status().message(), "is not there, CUDA devices: 0")) {
    return nullptr;
  }
  EXPECT_THAT(grounder, IsOk());
  return *std::move(grounder);
}

// Dark, with a bright rectangle.
Image Scene(int height, int width, const Box& box) {
  Image image{height, width, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside = box.x1 <= x && x < box.x2 && box.y1 <= y && y < box.y2;
      const auto value = static_cast<uint8_t>((inside ? 210 : 50) + (7 * x + 13 * y) % 11);
      image.rgb.insert(image.rgb.end(), 3, value);
    }
  }
  return image;
}

struct Case {
  const char* name;
  BrightModel model;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const Case kCases[] = {
    {"dino_16", {.family = ModelFamily::kDino, .patch = 16}},
    {"dino_8", {.family = ModelFamily::kDino, .patch = 8}},
    {"dinov2_14", {.family = ModelFamily::kDinov2, .patch = 14}},
    {"dinov2_registers_14", {.family = ModelFamily::kDinov2, .patch = 14, .registers = 4}},
    {"dinov3_16", {.family = ModelFamily::kDinov3, .patch = 16, .registers = 4}},
};

class FamilyBoxes : public ::testing::TestWithParam<std::tuple<Case, const char*>> {
 protected:
  void SetUp() override {
    if (grounder_ == nullptr) GTEST_SKIP() << "NOT TESTED: there is no CUDA device";
  }
  static const BrightModel& Model() { return std::get<0>(GetParam()).model; }

  // The only object, on a grid of rows x cols patches.
  void ExpectBox(int rows, int cols, int pixels_a_patch, ResizeMode mode, int input_size,
                 double tolerance) {
    const float unit = static_cast<float>(pixels_a_patch);
    const Box truth{static_cast<float>(cols / 2) * unit, 1 * unit,
                    static_cast<float>(cols / 2 + 3) * unit, static_cast<float>(rows / 2) * unit};
    GroundOptions options;
    options.head_selection = HeadSelection::kPreset;
    options.resize_mode = mode;
    options.input_size = input_size;
    const auto grounding =
        grounder_->Ground(Scene(rows * pixels_a_patch, cols * pixels_a_patch, truth), options);
    ASSERT_THAT(grounding, IsOk());
    ASSERT_THAT(grounding->objects, SizeIs(1));
    const Box& box = grounding->objects[0].box;
    EXPECT_NEAR(box.x1, truth.x1, tolerance);
    EXPECT_NEAR(box.y1, truth.y1, tolerance);
    EXPECT_NEAR(box.x2, truth.x2, tolerance);
    EXPECT_NEAR(box.y2, truth.y2, tolerance);
    EXPECT_THAT(grounding->objectness, SizeIs(grounding->grid.size()));
    EXPECT_THAT(grounding->cls_attention, SizeIs(grounding->grid.size()));
    double on_object = 0;  // the CLS token looks at the object, and at no register
    for (size_t i = 0; i < grounding->cls_attention.size(); ++i) {
      on_object += grounding->objects[0].mask[i] != 0 ? grounding->cls_attention[i] : 0;
    }
    EXPECT_GT(on_object, 0.5);
  }

  const std::unique_ptr<Grounder> grounder_ = Load(Model(), std::get<1>(GetParam()));
};

TEST_P(FamilyBoxes, AspectKept_AreExact) {
  const int patch = Model().patch;
  for (const auto& [rows, cols] : {std::pair{6, 11}, {13, 7}, {4, 20}, {9, 9}}) {
    for (const int scale : {1, 2}) {
      SCOPED_TRACE(absl::StrCat(rows, "x", cols, " scale ", scale));
      ExpectBox(rows, cols, scale * patch, ResizeMode::kAspect, std::max(rows, cols) * patch, 1e-3);
    }
  }
}

// The grid of the input is another than that of the image: half a patch to either side.
TEST_P(FamilyBoxes, Squeezed_AreRightToAPatch) {
  const int patch = Model().patch;
  for (const auto& [rows, cols] : {std::pair{10, 25}, {24, 11}}) {
    SCOPED_TRACE(absl::StrCat(rows, "x", cols));
    const double image_pixels_a_patch = std::max(rows, cols) * patch / (224.0 / patch);
    ExpectBox(rows, cols, patch, ResizeMode::kSquare, 224, image_pixels_a_patch);
  }
}

// On the CPU: computed twice.
TEST_P(FamilyBoxes, EveryMethod_AnswersAsOnTheCpu) {
  const auto on_cpu = Load(Model());
  const int patch = Model().patch;
  const float unit = static_cast<float>(patch);
  const Image image = Scene(8 * patch, 12 * patch, {4 * unit, 2 * unit, 8 * unit, 5 * unit});
  for (const Method method : kAllMethods) {
    SCOPED_TRACE(MethodName(method));
    GroundOptions options;
    options.method = method;
    if (options.SelectsHeads()) options.head_selection = HeadSelection::kPreset;
    options.resize_mode = ResizeMode::kAspect;
    options.input_size = 12 * patch;
    options.patch_embeddings = true;
    const auto expected = on_cpu->Ground(image, options);
    ASSERT_THAT(expected, IsOk());
    const auto grounding = grounder_->Ground(image, options);
    ASSERT_THAT(grounding, IsOk());
    EXPECT_THAT(grounding->objectness, SizeIs(8 * 12));
    EXPECT_THAT(grounding->objectness, Pointwise(FloatNear(1e-3F), expected->objectness));
    EXPECT_THAT(grounding->cls_attention, Pointwise(FloatNear(1e-5F), expected->cls_attention));
    EXPECT_THAT(grounding->patch_vectors, Pointwise(FloatNear(1e-4F), expected->patch_vectors));
    EXPECT_EQ(grounding->objects.size(), expected->objects.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Families, FamilyBoxes,
                         ::testing::Combine(::testing::ValuesIn(kCases),
                                            ::testing::Values("cpu", "cuda")),
                         [](const ::testing::TestParamInfo<FamilyBoxes::ParamType>& param_info) {
                           return absl::StrCat(std::get<0>(param_info.param).name, "_",
                                               std::get<1>(param_info.param));
                         });

// 384 wide, as the model whose defaults were measured.
BrightModel Small(ModelFamily family) {
  return {.family = family,
          .patch = family == ModelFamily::kDinov2 ? 14 : 16,
          .registers = family == ModelFamily::kDinov3 ? 4 : 0,
          .heads = 24,
          .layers = 2,
          .random_weights = false};
}

TEST(Families, UnmeasuredDefaults_AreWarnedOfUntilTheyAreSet) {
  const Image image = Scene(120, 120, {40, 40, 90, 90});
  const auto unmeasured = Contains(AllOf(Field(&Warning::code, WarningCode::kUnmeasuredDefaults),
                                         Field(&Warning::message, HasSubstr("input_size"))));
  for (const ModelFamily family :
       {ModelFamily::kDino, ModelFamily::kDinov2, ModelFamily::kDinov3}) {
    const auto grounder = Load(Small(family));
    GroundOptions options;
    const auto by_default = grounder->Ground(image, options);
    ASSERT_THAT(by_default, IsOk());
    if (family == ModelFamily::kDinov2) {
      EXPECT_THAT(by_default->warnings, Not(unmeasured));
    } else {
      EXPECT_THAT(by_default->warnings, unmeasured);
    }
    options.chosen = {.input_size = true, .head_selection = true};
    const auto set = grounder->Ground(image, options);
    ASSERT_THAT(set, IsOk());
    EXPECT_THAT(set->warnings, ::testing::IsEmpty());
    EXPECT_EQ(set->objectness, by_default->objectness);
  }
}

// Nobody knows how alike the patches of photographs are in the other families: no object is hidden.
TEST(Families, PatchesThatLookAlike_HideObjectsOnlyWhereThatWasMeasured) {
  Image image = Scene(120, 120, {40, 40, 90, 90});
  for (uint8_t& value : image.rgb) value = value > 128 ? 104 : 100;
  for (const ModelFamily family :
       {ModelFamily::kDino, ModelFamily::kDinov2, ModelFamily::kDinov3}) {
    const auto grounding = Load(Small(family))->Ground(image, {});
    ASSERT_THAT(grounding, IsOk());
    EXPECT_EQ(grounding->objects.empty(), family == ModelFamily::kDinov2);
  }
}

}  // namespace
}  // namespace objectdino
