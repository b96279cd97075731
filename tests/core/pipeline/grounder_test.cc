// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/grounder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/base/read_file.h"
#include "core/image/decode.h"
#include "core/objects/object_embedding.h"
#include "core/weights/safetensors.h"
#include "tests/support/bright_model.h"
#include "tests/support/scenes.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::Flat;
using ::objectdino::testing::Gradient;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::Noise;
using ::objectdino::testing::Scene;
using ::objectdino::testing::StatusIs;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
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

auto HasWarning(WarningCode code) { return Contains(Field(&Warning::code, code)); }

TEST(Grounder, EveryMethodAnswersWithinItsContract) {
  for (const Method method : kAllMethods) {
    for (const HeadSelection heads : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      GroundOptions options;
      options.method = method;
      if (heads == HeadSelection::kPreset && !options.SelectsHeads()) continue;
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
      EXPECT_EQ(grounding->heads.empty(), !options.SelectsHeads());
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
  for (const Method method : kAllMethods) {
    GroundOptions options;
    options.method = method;
    auto grounding = Tiny().Ground(Flat(64, 64), options);
    ASSERT_THAT(grounding, IsOk());
    EXPECT_THAT(grounding->objects, IsEmpty());
    EXPECT_THAT(grounding->objectness, Each(0.0f));
    EXPECT_THAT(grounding->warnings, HasWarning(WarningCode::kNoClearObject));
  }
}

TEST(Grounder, MirrorGivesMirroredAnswersForMirroredImages) {
  Image image = Scene(90, 120);
  Image turned = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        turned.rgb[(y * image.width + x) * 3 + c] =
            image.rgb[(y * image.width + image.width - 1 - x) * 3 + c];
      }
    }
  }
  GroundOptions options;
  options.mirror = true;
  const auto straight = Tiny().Ground(image, options);
  const auto mirrored = Tiny().Ground(turned, options);
  ASSERT_THAT(straight, IsOk());
  ASSERT_THAT(mirrored, IsOk());
  const int cols = straight->grid.cols;
  for (int i = 0; i < straight->grid.size(); ++i) {
    EXPECT_NEAR(straight->objectness[i],
                mirrored->objectness[i / cols * cols + cols - 1 - i % cols], 1e-3);
  }
  options.method = Method::kLost;
  EXPECT_THAT(Tiny().Ground(image, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mirror has no effect")));
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
  for (const Method method : kAllMethods) {
    options.method = method;
    auto grounding = Tiny().Ground(Scene(40, 40), options);
    ASSERT_THAT(grounding, IsOk());
    EXPECT_THAT(grounding->objects, IsEmpty()) << "one patch has no contrast";
    EXPECT_THAT(grounding->warnings, HasWarning(WarningCode::kNoClearObject));
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
  ASSERT_EQ(grounding->patch_vectors.size(), 25u * 64u);
  double norm = 0;
  for (int c = 0; c < 64; ++c) norm += std::pow(grounding->patch_vectors[c], 2);
  EXPECT_NEAR(norm, 1, 1e-5);
  options.patch_embeddings = false;
  EXPECT_THAT(Tiny().Ground(Scene(100, 100), options)->patch_vectors, IsEmpty());
}

TEST(Grounder, EmbeddingsAreOfTheFinalLayerOrOfTheSelectedHeads) {
  for (const EmbeddingSource source :
       {EmbeddingSource::kFinalLayer, EmbeddingSource::kObjectHeads}) {
    GroundOptions options;
    options.head_selection = HeadSelection::kPreset;  // 8 heads, each 16 wide
    options.embedding_source = source;
    options.patch_embeddings = true;
    auto grounding = Tiny().Ground(Scene(100, 100), options);
    ASSERT_THAT(grounding, IsOk());
    const int width = source == EmbeddingSource::kObjectHeads ? 8 * 16 : 64;
    EXPECT_EQ(grounding->embedding_source, source);
    EXPECT_EQ(grounding->embedding_width, width);
    ASSERT_EQ(grounding->patch_vectors.size(), static_cast<size_t>(256) * width);
    for (int patch = 0; patch < 256; ++patch) {
      const float* row = &grounding->patch_vectors[static_cast<size_t>(patch) * width];
      ASSERT_NEAR(std::inner_product(row, row + width, row, 0.0), 1, 1e-5) << patch;
    }
    ASSERT_THAT(grounding->objects, Not(IsEmpty()));
    for (const GroundedObject& object : grounding->objects) {
      EXPECT_EQ(object.embedding,
                PoolObjectEmbedding(grounding->patch_vectors, width, object.mask));
      EXPECT_NEAR(std::inner_product(object.embedding.begin(), object.embedding.end(),
                                     object.embedding.begin(), 0.0),
                  1, 1e-5);
    }
  }
}

TEST(Grounder, EmbeddingsOfClusteredHeadsAreAsWideAsTheHeads) {
  GroundOptions options;
  options.clusters = 2;
  options.embedding_source = EmbeddingSource::kObjectHeads;
  auto grounding = Tiny().Ground(Scene(100, 100), options);
  ASSERT_THAT(grounding, IsOk());
  ASSERT_NE(grounding->heads.size(), 4u) << "as wide as the final tokens: nothing is tested";
  ASSERT_THAT(grounding->objects, Not(IsEmpty()));
  EXPECT_EQ(grounding->embedding_width, static_cast<int>(grounding->heads.size()) * 16);
  EXPECT_EQ(grounding->objects[0].embedding.size(), grounding->heads.size() * 16);
}

TEST(Grounder, EmbeddingSourceDoesNotChangeTheObjects) {
  for (const bool proposals : {false, true}) {
    GroundOptions options;
    options.proposals = proposals;
    auto tokens = Tiny().Ground(Scene(100, 100), options);
    options.embedding_source = EmbeddingSource::kObjectHeads;
    auto values = Tiny().Ground(Scene(100, 100), options);
    ASSERT_THAT(tokens, IsOk());
    ASSERT_THAT(values, IsOk());
    EXPECT_EQ(values->objectness, tokens->objectness);
    ASSERT_EQ(values->objects.size(), tokens->objects.size());
    for (size_t i = 0; i < values->objects.size(); ++i) {
      EXPECT_EQ(values->objects[i].mask, tokens->objects[i].mask);
      EXPECT_EQ(values->objects[i].score, tokens->objects[i].score);
    }
  }
}

TEST(Grounder, EmbeddingsOfHeadsNeedAMethodThatSelectsHeads) {
  GroundOptions options;
  options.method = Method::kLost;
  options.embedding_source = EmbeddingSource::kObjectHeads;
  EXPECT_THAT(Tiny().Ground(Scene(100, 100), options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "embedding_source has no effect on method LOST"));
}

TEST(Grounder, ProposalsFindMoreAndLeaveTheMapAlone) {
  GroundOptions options;
  options.max_objects = 100;
  auto without = Tiny().Ground(Scene(120, 160), options);
  options.proposals = true;
  auto with = Tiny().Ground(Scene(120, 160), options);
  ASSERT_THAT(without, IsOk());
  ASSERT_THAT(with, IsOk());
  EXPECT_GT(with->objects.size(), without->objects.size());
  EXPECT_EQ(with->objectness, without->objectness);
}

TEST(Grounder, HeadMapsComeOnRequestWithEveryMethodAndAreTheSame) {
  GroundOptions options;
  options.input_size = 70;
  EXPECT_THAT(Tiny().Ground(Scene(100, 100), options)->head_maps, IsEmpty());
  options.head_maps = true;
  std::vector<float> first;
  for (const Method method :
       {Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper}) {
    for (const HeadSelection heads : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      options.method = method;
      options.head_selection = heads;
      auto grounding = Tiny().Ground(Scene(100, 100), options);
      ASSERT_THAT(grounding, IsOk());
      ASSERT_EQ(grounding->head_maps.size(), 4u * 4 * 3 * 25);
      EXPECT_THAT(grounding->head_maps,
                  Each(::testing::AllOf(::testing::Ge(-1.0001f), ::testing::Le(1.0001f))));
      if (first.empty()) first = grounding->head_maps;
      EXPECT_EQ(grounding->head_maps, first);
    }
  }
}

TEST(Grounder, HeadMapsDoNotChangeTheAnswer) {
  for (const Method method :
       {Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper}) {
    for (const HeadSelection heads : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      GroundOptions options;
      options.method = method;
      options.head_selection = heads;
      auto without = Tiny().Ground(Scene(100, 100), options);
      options.head_maps = true;
      auto with = Tiny().Ground(Scene(100, 100), options);
      ASSERT_THAT(without, IsOk());
      ASSERT_THAT(with, IsOk());
      EXPECT_EQ(with->objectness, without->objectness);
      EXPECT_EQ(with->heads, without->heads);
      EXPECT_EQ(with->head_clusters, without->head_clusters);
    }
  }
}

TEST(Grounder, ClusterZeroHoldsTheObjectHeadsAndPresetHasNoClusters) {
  for (const Method method : {Method::kObjectDino, Method::kObjectDinoPaper}) {
    GroundOptions options;
    options.method = method;
    options.clusters = 3;
    auto grounding = Tiny().Ground(Scene(100, 100), options);
    ASSERT_THAT(grounding, IsOk());
    ASSERT_EQ(grounding->head_clusters.size(), 16u);
    std::vector<HeadRef> of_cluster_zero;
    for (int i = 0; i < 16; ++i) {
      if (grounding->head_clusters[i] == 0) of_cluster_zero.push_back({i / 4, i % 4});
    }
    EXPECT_EQ(of_cluster_zero, grounding->heads);
    EXPECT_EQ(*std::max_element(grounding->head_clusters.begin(), grounding->head_clusters.end()),
              2);
  }
  GroundOptions preset;
  preset.head_selection = HeadSelection::kPreset;
  auto grounding = Tiny().Ground(Scene(100, 100), preset);
  ASSERT_THAT(grounding, IsOk());
  EXPECT_EQ(grounding->head_clusters, std::vector<int>(16, -1));
}

// What the rule of alike patches looks at: the mean cosine of all pairs of final tokens.
double MeanCosine(const Grounding& grounding) {
  std::vector<double> mean(grounding.embedding_width, 0.0);
  for (size_t i = 0; i < grounding.patch_vectors.size(); ++i) {
    mean[i % mean.size()] += grounding.patch_vectors[i] / grounding.grid.size();
  }
  return std::inner_product(mean.begin(), mean.end(), mean.begin(), 0.0);
}

// Dark, and not flat: the patches of the tiny model look alike.
Image DimNoise() {
  Image image = Noise(100, 100);
  for (uint8_t& value : image.rgb) value %= 16;
  return image;
}

TEST(Grounder, PatchesOfRandomWeightsMayLookAlike) {
  GroundOptions options;
  options.patch_embeddings = true;
  auto grounding = Tiny().Ground(DimNoise(), options);
  ASSERT_THAT(grounding, IsOk());
  ASSERT_GT(MeanCosine(*grounding), 0.95) << "nothing is tested";
  EXPECT_THAT(grounding->warnings, Not(HasWarning(WarningCode::kNoClearObject)));
  EXPECT_THAT(grounding->objects, Not(IsEmpty()));
}

// Of the shape whose threshold was measured, and said to be trained.
TEST(Grounder, PatchesThatLookAlikeGiveNoObjectAndSaySo) {
  const testing::TempFolder folder;
  testing::BrightModelWriter({.patch = 14, .heads = 24, .random_weights = false}).WriteTo(folder);
  auto grounder = Grounder::Load({.model_dir = folder.path()});
  ASSERT_THAT(grounder, IsOk());
  for (const Method method : kAllMethods) {
    GroundOptions options;
    options.method = method;
    options.proposals = true;
    auto alike = (*grounder)->Ground(DimNoise(), options);
    ASSERT_THAT(alike, IsOk());
    EXPECT_THAT(alike->objects, IsEmpty()) << MethodName(method);
    EXPECT_THAT(alike->objectness, Each(0.0f));
    EXPECT_THAT(alike->warnings,
                ElementsAre(AllOf(Field(&Warning::code, WarningCode::kNoClearObject),
                                  Field(&Warning::message, HasSubstr("all patches look alike")))));
  }
  auto scene = (*grounder)->Ground(Scene(100, 100), {});
  ASSERT_THAT(scene, IsOk());
  EXPECT_THAT(scene->objects, Not(IsEmpty()));
  EXPECT_THAT(scene->warnings, IsEmpty());
}

TEST(Grounder, RealModelFindsObjectsInAPhotographAndNoneInNoiseOrAGradient) {
  const std::string root = OBJECTDINO_SOURCE_DIR;
  const std::string model = root + "/models/dinov2-small";
  if (!std::filesystem::exists(model + "/config.json")) {
    GTEST_SKIP() << "SKIPPED: " << model << " is missing: run scripts/fetch_model";
  }
  auto grounder = Grounder::Load({.model_dir = model});
  ASSERT_THAT(grounder, IsOk());
  for (const Image& image : {Noise(224, 224), Gradient(240, 320)}) {
    auto nothing = (*grounder)->Ground(image, {});
    ASSERT_THAT(nothing, IsOk());
    EXPECT_THAT(nothing->objects, IsEmpty());
    EXPECT_THAT(nothing->objectness, Each(0.0f));
    EXPECT_THAT(nothing->warnings, HasWarning(WarningCode::kNoClearObject));
  }
  auto bytes = ReadFile(root + "/examples/astronaut.jpg");
  ASSERT_THAT(bytes, IsOk());
  auto photograph = DecodeImage(*bytes, {});
  ASSERT_THAT(photograph, IsOk());
  auto grounding = (*grounder)->Ground(photograph->image, {});
  ASSERT_THAT(grounding, IsOk());
  EXPECT_THAT(grounding->objects, Not(IsEmpty()));
  EXPECT_THAT(grounding->warnings, IsEmpty());
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
  for (const Method method : kAllMethods) {
    for (const HeadSelection heads : {HeadSelection::kClustered, HeadSelection::kPreset}) {
      GroundOptions options;
      options.method = method;
      if (heads == HeadSelection::kPreset && !options.SelectsHeads()) continue;
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
