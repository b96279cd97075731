// SPDX-License-Identifier: Apache-2.0
// The stages of Grounder, and what a batch must not change: the answer.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/base/read_file.h"
#include "core/image/decode.h"
#include "core/pipeline/grounder.h"
#include "core/pipeline/torch_runtime.h"
#include "tests/support/scenes.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::Flat;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::Noise;
using ::objectdino::testing::Scene;
using ::objectdino::testing::StatusIs;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string Root() { return OBJECTDINO_SOURCE_DIR; }
bool Never() { return false; }

// nullptr where the model is not there.
const Grounder* Model(const std::string& folder) {
  SetTorchThreads(1);
  if (!std::filesystem::exists(Root() + "/" + folder + "/config.json")) return nullptr;
  auto grounder = Grounder::Load({.model_dir = Root() + "/" + folder});
  EXPECT_THAT(grounder, IsOk());
  return grounder->release();
}

const Grounder& Tiny() {
  static const Grounder& grounder = *Model("tests/golden/tiny");
  return grounder;
}

// Every method, and every option that changes what is read off the network.
std::vector<GroundOptions> MixedOptions(int input_size, ResizeMode mode) {
  std::vector<GroundOptions> all;
  for (const Method method : kAllMethods) all.emplace_back().method = method;
  all.emplace_back().mirror = true;
  GroundOptions& preset = all.emplace_back();
  preset.head_selection = HeadSelection::kPreset;
  preset.embedding_source = EmbeddingSource::kObjectHeads;
  preset.proposals = true;
  preset.pixel_masks = true;
  GroundOptions& exact = all.emplace_back();
  exact.temperature = 0.125;
  exact.components = {.query = false};
  exact.head_maps = true;
  for (GroundOptions& options : all) {
    options.patch_embeddings = true;
    options.input_size = input_size;
    options.resize_mode = mode;
  }
  return all;
}

PreparedImage MustPrepare(const Grounder& grounder, Image image, const GroundOptions& options) {
  auto prepared = grounder.Prepare(std::move(image), options);
  EXPECT_THAT(prepared, IsOk());
  return *std::move(prepared);
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void ExpectSame(const Grounding& a, const Grounding& b) {
  EXPECT_EQ(a.image, b.image);
  EXPECT_EQ(a.grid, b.grid);
  EXPECT_TRUE(SameBits(a.objectness, b.objectness));
  EXPECT_TRUE(SameBits(a.cls_attention, b.cls_attention));
  EXPECT_EQ(a.heads, b.heads);
  EXPECT_EQ(a.head_clusters, b.head_clusters);
  EXPECT_TRUE(SameBits(a.head_maps, b.head_maps));
  EXPECT_TRUE(SameBits(a.patch_vectors, b.patch_vectors));
  EXPECT_EQ(a.embedding_width, b.embedding_width);
  ASSERT_EQ(a.objects.size(), b.objects.size());
  for (size_t i = 0; i < a.objects.size(); ++i) {
    EXPECT_EQ(a.objects[i].score, b.objects[i].score);
    EXPECT_EQ(a.objects[i].box, b.objects[i].box);
    EXPECT_EQ(a.objects[i].mask, b.objects[i].mask);
    EXPECT_EQ(a.objects[i].anchor.x, b.objects[i].anchor.x);
    EXPECT_EQ(a.objects[i].anchor.y, b.objects[i].anchor.y);
    EXPECT_EQ(a.objects[i].pixel_mask, b.objects[i].pixel_mask);
    EXPECT_TRUE(SameBits(a.objects[i].embedding, b.objects[i].embedding));
  }
  ASSERT_EQ(a.warnings.size(), b.warnings.size());
  for (size_t i = 0; i < a.warnings.size(); ++i) {
    EXPECT_EQ(a.warnings[i].code, b.warnings[i].code);
    EXPECT_EQ(a.warnings[i].message, b.warnings[i].message);
  }
}

struct Case {
  std::string model;
  int input_size;
  ResizeMode mode;
  std::vector<int> batches;
  size_t step = 1;  // 1: every image takes every place in a batch
};

class BatchInvariance : public ::testing::TestWithParam<Case> {};

// One image an option, in batches of every size.
TEST_P(BatchInvariance, AnImagesAnswerDoesNotDependOnItsBatch) {
  const Case& c = GetParam();
  const std::unique_ptr<const Grounder> grounder(Model(c.model));
  if (grounder == nullptr) {
    GTEST_SKIP() << "NOT TESTED: " << c.model << " is absent, run scripts/fetch_model first";
  }
  std::vector<Image> images = {Flat(96, 128), Noise(90, 120)};
  for (const char* file : {"examples/astronaut.jpg", "examples/coffee.png"}) {
    auto bytes = ReadFile(Root() + "/" + file);
    ASSERT_THAT(bytes, IsOk());
    auto decoded = DecodeImage(*bytes, {});
    ASSERT_THAT(decoded, IsOk());
    // Cut or filled up to one shape, that of the other images.
    Image& image = images.emplace_back(std::move(decoded->image));
    image.height = image.width * 3 / 4;
    image.rgb.resize(static_cast<size_t>(image.height) * image.width * 3);
  }
  std::vector<PreparedImage> pool;
  std::vector<Grounding> alone;
  for (const GroundOptions& options : MixedOptions(c.input_size, c.mode)) {
    const size_t i = pool.size();
    Image image = i < images.size() ? images[images.size() - 1 - i]
                                    : Scene(90, 120, static_cast<unsigned>(i));
    auto grounding = grounder->Ground(image, options);
    ASSERT_THAT(grounding, IsOk());
    alone.push_back(*std::move(grounding));
    pool.push_back(MustPrepare(*grounder, std::move(image), options));
    ASSERT_EQ(pool.back().input.grid, pool.front().input.grid);
  }
  for (const int size : c.batches) {
    for (size_t first = 0; first < pool.size(); first += c.step) {
      std::vector<const PreparedImage*> batch;
      for (int i = 0; i < size; ++i) batch.push_back(&pool[(first + i) % pool.size()]);
      auto results = grounder->Infer(batch, Never);
      ASSERT_THAT(results, SizeIs(size));
      for (int i = 0; i < size; ++i) {
        SCOPED_TRACE(absl::StrCat("image ", (first + i) % pool.size(), " at ", i, " of ", size));
        ASSERT_THAT(results[i], IsOk());
        EXPECT_EQ(results[i]->batch_size, size);
        auto grounding = grounder->Finish(*batch[i], *std::move(results[i]), [] { return false; });
        ASSERT_THAT(grounding, IsOk());
        EXPECT_EQ(grounding->timings.batch_size, size);
        ExpectSame(*grounding, alone[(first + i) % pool.size()]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, BatchInvariance,
    ::testing::Values(Case{"tests/golden/tiny", 224, ResizeMode::kSquare, {1, 2, 3, 8}},
                      Case{"tests/golden/tiny", 322, ResizeMode::kAspect, {2, 3, 8}},
                      Case{"tests/golden/tiny-registers", 98, ResizeMode::kSquare, {2, 3, 8}},
                      Case{"tests/golden/tiny-dino-8", 120, ResizeMode::kAspect, {3}, 3},
                      Case{"tests/golden/tiny-dinov3", 160, ResizeMode::kSquare, {2, 3}},
                      Case{"tests/golden/tiny-dinov3-gated", 160, ResizeMode::kSquare, {3}, 3},
                      Case{"models/dinov2-small", 224, ResizeMode::kSquare, {2, 3, 8}},
                      Case{"models/dinov2-small", 448, ResizeMode::kAspect, {3}, 3}),
    [](const ::testing::TestParamInfo<Case>& param_info) {
      std::string name = absl::StrCat(param_info.param.model, "_", param_info.param.input_size);
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
      return name;
    });

TEST(Infer, TwoThreadsGiveWhatOneGives) {
  std::vector<PreparedImage> pool;
  std::vector<Grounding> alone;
  for (const GroundOptions& options : MixedOptions(98, ResizeMode::kSquare)) {
    const Image image = Scene(80, 80, static_cast<unsigned>(pool.size()));
    alone.push_back(*Tiny().Ground(image, options));
    pool.push_back(MustPrepare(Tiny(), image, options));
  }
  const auto work = [&](size_t first) {
    for (int round = 0; round < 6; ++round) {
      const std::vector<const PreparedImage*> batch = {&pool[(first + round) % pool.size()],
                                                       &pool[(first + round + 1) % pool.size()],
                                                       &pool[(first + round + 2) % pool.size()]};
      auto results = Tiny().Infer(batch, Never);
      for (size_t i = 0; i < batch.size(); ++i) {
        auto grounding = Tiny().Finish(*batch[i], *std::move(results[i]), [] { return false; });
        ASSERT_THAT(grounding, IsOk());
        ExpectSame(*grounding, alone[batch[i] - pool.data()]);
      }
    }
  };
  std::thread other(work, 0);
  work(4);
  other.join();
}

TEST(Infer, NoImagesGiveNoResults) { EXPECT_THAT(Tiny().Infer({}, Never), IsEmpty()); }

TEST(Infer, StopEndsTheWorkOfAllBeforeTheNextBlock) {
  GroundOptions mirror;
  mirror.mirror = true;
  const PreparedImage first = MustPrepare(Tiny(), Scene(60, 60), {});
  const PreparedImage second = MustPrepare(Tiny(), Scene(60, 60, 2), mirror);
  const int passes = 2 * Tiny().model().layers;  // that of the mirror images is the second one
  for (int blocks = 0; blocks < passes; ++blocks) {
    int asked = 0;
    EXPECT_THAT(Tiny().Infer({&first, &second}, [&] { return asked++ == blocks; }),
                ::testing::AllOf(
                    SizeIs(2), Each(StatusIs(absl::StatusCode::kCancelled, HasSubstr("stopped")))));
    EXPECT_EQ(asked, blocks + 1);
  }
  int asked = 0;
  EXPECT_THAT(Tiny().Infer({&first, &second}, [&] { return ++asked > passes; }), Each(IsOk()));
  EXPECT_EQ(asked, passes);
}

TEST(Infer, ValuesThatAreNotFiniteFailTheirImageAlone) {
  std::vector<PreparedImage> images;
  for (unsigned seed = 0; seed < 3; ++seed) {
    images.push_back(MustPrepare(Tiny(), Scene(60, 60, seed), {}));
  }
  auto last = Tiny().Infer({&images[2]}, Never);
  ASSERT_THAT(last[0], IsOk());
  images[1].input.input[5000] = std::nanf("");
  const auto results = Tiny().Infer({&images[0], &images[1], &images[2]}, Never);
  ASSERT_THAT(results, SizeIs(3));
  EXPECT_THAT(results[0], IsOk());
  EXPECT_THAT(results[1], StatusIs(absl::StatusCode::kInternal, HasSubstr("not finite")));
  ASSERT_THAT(results[2], IsOk());
  EXPECT_TRUE(SameBits(results[2]->tokens, last[0]->tokens));
}

TEST(Infer, AnEngineFaultIsEveryImages) {
  GroundOptions other;
  other.input_size = 98;
  const PreparedImage first = MustPrepare(Tiny(), Scene(60, 60), {});
  const PreparedImage second = MustPrepare(Tiny(), Scene(60, 60), other);  // another grid
  EXPECT_THAT(
      Tiny().Infer({&first, &second}, Never),
      ::testing::AllOf(SizeIs(2), Each(StatusIs(absl::StatusCode::kInternal, HasSubstr("size")))));
}

TEST(Prepare, KeepsThePixelsOnlyForPixelMasks) {
  GroundOptions options;
  EXPECT_THAT(MustPrepare(Tiny(), Scene(60, 60), options).image.rgb, IsEmpty());
  options.pixel_masks = true;
  const PreparedImage prepared = MustPrepare(Tiny(), Scene(60, 60), options);
  EXPECT_EQ(prepared.image.rgb, Scene(60, 60).rgb);
  EXPECT_EQ(prepared.image.size(), (ImageSize{60, 60}));
}

}  // namespace
}  // namespace objectdino
