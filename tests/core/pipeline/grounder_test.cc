// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/grounder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/weights/safetensors.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Grounder& Tiny() {
  static const Grounder& grounder =
      *Grounder::Load({.model_dir = std::string(OBJECTDINO_SOURCE_DIR) + "/tests/golden/tiny/"})
           ->release();
  return grounder;
}

// A dark noisy background with a bright square.
Image Scene(int height, int width, unsigned seed = 1) {
  std::mt19937 generator(seed);
  Image image{height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside =
          y > height / 3 && y < 2 * height / 3 && x > width / 2 && x < 3 * width / 4;
      for (int c = 0; c < 3; ++c) {
        image.rgb[(static_cast<size_t>(y) * width + x) * 3 + c] =
            static_cast<uint8_t>((inside ? 200 : 40) + generator() % 30);
      }
    }
  }
  return image;
}

Image Flat(int height, int width) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3, 128)};
}

auto HasWarning(WarningCode code) { return Contains(Field(&Warning::code, code)); }

TEST(Grounder, EveryMethodAnswersWithinItsContract) {
  for (const Method method :
       {Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper}) {
    for (const HeadSelection heads : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      GroundOptions options;
      options.method = method;
      options.head_selection = heads;
      options.resize_mode = ResizeMode::kAspect;
      options.input_size = 140;
      auto grounding = Tiny().Ground(Scene(120, 200), options);
      ASSERT_THAT(grounding, IsOk());
      EXPECT_EQ(grounding->grid, (PatchGrid{6, 10, 14}));
      EXPECT_EQ(grounding->objectness.size(), 60u);
      EXPECT_THAT(grounding->objectness,
                  Each(::testing::AllOf(::testing::Ge(0), ::testing::Le(1.0001f))));
      EXPECT_EQ(grounding->cls_attention.size(), 60u);
      EXPECT_THAT(grounding->cls_attention, Each(::testing::Ge(0)));
      EXPECT_NEAR(
          std::accumulate(grounding->cls_attention.begin(), grounding->cls_attention.end(), 0.0), 1,
          1e-5);
      EXPECT_THAT(grounding->heads, Not(IsEmpty()));
      ASSERT_THAT(grounding->objects, Not(IsEmpty()));
      double previous = 1;
      for (const GroundedObject& object : grounding->objects) {
        EXPECT_LE(object.score, previous);
        EXPECT_GE(object.score, 0);
        previous = object.score;
        EXPECT_GE(object.box.x1, 0);
        EXPECT_LT(object.box.x1, object.box.x2);
        EXPECT_LE(object.box.x2, 200);
        EXPECT_LT(object.box.y1, object.box.y2);
        EXPECT_LE(object.box.y2, 120);
        EXPECT_EQ(object.embedding.size(), 64u);
      }
    }
  }
}

TEST(Grounder, RandomWeightsAreNamedInTheAnswer) {
  auto grounding = Tiny().Ground(Scene(100, 100), {});
  ASSERT_THAT(grounding, IsOk());
  EXPECT_THAT(grounding->warnings, HasWarning(WarningCode::kRandomWeights));
}

TEST(Grounder, SameImageSameAnswerOnAnyThread) {
  const Image image = Scene(90, 160);
  auto expected = Tiny().Ground(image, {});
  ASSERT_THAT(expected, IsOk());
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 3; ++repeat) {
        auto again = Tiny().Ground(image, {});
        ASSERT_THAT(again, IsOk());
        EXPECT_EQ(again->objectness, expected->objectness);
        EXPECT_EQ(again->heads, expected->heads);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Grounder, FlatImageGivesNoObjectAndSaysSo) {
  for (const Method method :
       {Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper}) {
    GroundOptions options;
    options.method = method;
    auto grounding = Tiny().Ground(Flat(64, 64), options);
    ASSERT_THAT(grounding, IsOk());
    EXPECT_THAT(grounding->objects, IsEmpty());
    EXPECT_THAT(grounding->objectness, Each(0.0f));
    EXPECT_THAT(grounding->warnings, HasWarning(WarningCode::kLowConfidence));
  }
}

TEST(Grounder, OnePixelGivesNoObjectAndSaysSo) {
  auto grounding = Tiny().Ground(Flat(1, 1), {});
  ASSERT_THAT(grounding, IsOk());
  EXPECT_THAT(grounding->objects, IsEmpty());
  EXPECT_THAT(grounding->warnings, HasWarning(WarningCode::kImageTooSmall));
}

TEST(Grounder, OnePatchGridIsAnswered) {
  GroundOptions options;
  options.input_size = 14;
  for (const Method method :
       {Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper}) {
    options.method = method;
    auto grounding = Tiny().Ground(Scene(40, 40), options);
    ASSERT_THAT(grounding, IsOk());
    EXPECT_THAT(grounding->objects, IsEmpty()) << "one patch has no contrast";
    EXPECT_THAT(grounding->warnings, HasWarning(WarningCode::kLowConfidence));
  }
}

TEST(Grounder, ExtremeAspectRatioIsAnswered) {
  GroundOptions options;
  options.resize_mode = ResizeMode::kAspect;
  auto grounding = Tiny().Ground(Scene(4, 900), options);
  ASSERT_THAT(grounding, IsOk());
  EXPECT_EQ(grounding->grid.rows, 1);
  EXPECT_EQ(grounding->grid.cols, 16);
}

TEST(Grounder, PublishedThresholdOnACompleteGraphIsLowConfidence) {
  GroundOptions options;
  options.method = Method::kObjectDinoPaper;
  options.tau = -1;  // below every affinity
  auto grounding = Tiny().Ground(Scene(100, 100), options);
  ASSERT_THAT(grounding, IsOk());
  EXPECT_THAT(grounding->warnings, HasWarning(WarningCode::kLowConfidence));
}

TEST(Grounder, PatchTokensComeOnRequestWithUnitRows) {
  GroundOptions options;
  options.patch_embeddings = true;
  options.input_size = 70;
  auto grounding = Tiny().Ground(Scene(100, 100), options);
  ASSERT_THAT(grounding, IsOk());
  ASSERT_EQ(grounding->patch_tokens.size(), 25u * 64u);
  double norm = 0;
  for (int c = 0; c < 64; ++c) norm += std::pow(grounding->patch_tokens[c], 2);
  EXPECT_NEAR(norm, 1, 1e-5);
  options.patch_embeddings = false;
  EXPECT_THAT(Tiny().Ground(Scene(100, 100), options)->patch_tokens, IsEmpty());
}

TEST(Grounder, BadInputIsRefused) {
  EXPECT_THAT(Tiny().Ground(Image{}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image")));
  Image short_pixels = Flat(8, 8);
  short_pixels.rgb.pop_back();
  EXPECT_THAT(Tiny().Ground(short_pixels, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("image")));
  GroundOptions options;
  options.clusters = 99;
  EXPECT_THAT(Tiny().Ground(Flat(8, 8), options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("clusters")));
}

TEST(Grounder, NanInTheWeightsIsAnInternalErrorWithEveryMethod) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(::testing::TempDir()) / "nan_model";
  fs::remove_all(folder);
  fs::copy(std::string(OBJECTDINO_SOURCE_DIR) + "/tests/golden/tiny", folder);
  auto file = SafetensorsFile::Open((folder / "model.safetensors").string());
  ASSERT_THAT(file, IsOk());
  const size_t offset = (*file)->table().tensors.at("embeddings.cls_token").bytes.data() -
                        reinterpret_cast<const uint8_t*>((*file)->bytes().data());
  const float nan = std::nanf("");
  std::fstream stream(folder / "model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.write(reinterpret_cast<const char*>(&nan), sizeof(nan));
  stream.close();
  auto grounder = Grounder::Load({.model_dir = folder.string()});
  ASSERT_THAT(grounder, IsOk());
  for (const Method method :
       {Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper}) {
    for (const HeadSelection heads : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      GroundOptions options;
      options.method = method;
      options.head_selection = heads;
      EXPECT_THAT((*grounder)->Ground(Scene(100, 100), options),
                  StatusIs(absl::StatusCode::kInternal, HasSubstr("not finite")));
    }
  }
  fs::remove_all(folder);
}

TEST(Grounder, KnowsItsModel) {
  EXPECT_EQ(Tiny().model_name(), "tiny");
  EXPECT_EQ(Tiny().weights_digest().size(), 64u);
  EXPECT_EQ(Tiny().device(), "cpu");
}

TEST(Grounder, MissingFolderAndUnknownDeviceAreErrors) {
  EXPECT_THAT(Grounder::Load({.model_dir = "/nonexistent"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent")));
  EXPECT_THAT(
      Grounder::Load({.model_dir = std::string(OBJECTDINO_SOURCE_DIR) + "/tests/golden/tiny",
                      .device = "abacus"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("abacus")));
}

}  // namespace
}  // namespace objectdino
