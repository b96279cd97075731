// SPDX-License-Identifier: Apache-2.0
// Every family in every layout: tests/golden/weights_layouts.py wrote the files, and each element
// follows from its tensor's name.
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/weights/checkpoint.h"
#include "core/weights/inspection.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kLayouts[] = OBJECTDINO_SOURCE_DIR "/tests/golden/layouts/";
constexpr int64_t kWidth = 64;

struct Layout {
  std::string path;
  ModelFamily family;
  int registers;
  bool gated;
  std::string layout;
  PositionRule position;
  double epsilon;
  bool qkv_bias = true;
};

void PrintTo(const Layout& layout, std::ostream* out) { *out << layout.path; }

at::Tensor Expected(const NeededTensor& needed, const Layout& layout) {
  int64_t start = 0;
  for (const char c : needed.name) start += static_cast<uint8_t>(c);
  int64_t count = 1;
  for (const int64_t side : needed.shape) count *= side;
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>((start + 37 * i) % 251 - 125) / 64;
  }
  at::Tensor tensor = at::tensor(values).view(needed.shape);
  if (needed.name.ends_with("attn.qkv.bias")) {
    if (layout.family == ModelFamily::kDinov3) tensor.narrow(0, kWidth, kWidth).zero_();
    if (!layout.qkv_bias) tensor.zero_();
  }
  // timm's models with registers hold the CLS token with its position.
  if (needed.name == "pos_embed" && layout.layout == "timm" && layout.registers > 0) {
    tensor.select(1, 0).zero_();
  }
  return tensor;
}

class EveryLayout : public ::testing::TestWithParam<Layout> {};

TEST_P(EveryLayout, ConfigIsDetected) {
  const Layout& layout = GetParam();
  const auto checkpoint = Checkpoint::Open(kLayouts + layout.path);
  ASSERT_THAT(checkpoint, IsOk());
  const ModelConfig& config = checkpoint->config();
  EXPECT_EQ(config.family, layout.family);
  EXPECT_EQ(config.width, 64);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.heads, 1);
  EXPECT_EQ(config.patch_size, 2);
  EXPECT_EQ(config.hidden_width, layout.gated ? 32 : 16);
  EXPECT_EQ(config.swiglu, layout.gated);
  EXPECT_EQ(config.registers, layout.registers);
  EXPECT_EQ(config.position_grid, layout.family == ModelFamily::kDinov3 ? 0 : 3);
  EXPECT_EQ(config.position, layout.position);
  EXPECT_EQ(config.layer_scale, layout.family != ModelFamily::kDino);
  EXPECT_EQ(config.layout, layout.layout);
  EXPECT_DOUBLE_EQ(config.layer_norm_eps, layout.epsilon);
  EXPECT_DOUBLE_EQ(config.rope_theta, 100);
  EXPECT_FALSE(config.file_periods);
  EXPECT_EQ(config.random_weights,
            !layout.path.ends_with(".pth") && !layout.path.ends_with(".safetensors"));
}

TEST_P(EveryLayout, EveryElementIsInItsPlace) {
  const Layout& layout = GetParam();
  const auto checkpoint = Checkpoint::Open(kLayouts + layout.path);
  ASSERT_THAT(checkpoint, IsOk());
  const std::vector<NeededTensor> needed = NeededTensors(checkpoint->config());
  EXPECT_GE(needed.size(), 30U);
  for (const NeededTensor& tensor : needed) {
    const auto found = checkpoint->Get(tensor.name, tensor.shape);
    ASSERT_THAT(found, IsOk());
    EXPECT_EQ(found->scalar_type(), at::kFloat);
    EXPECT_TRUE(found->equal(Expected(tensor, layout))) << tensor.name;
  }
}

TEST_P(EveryLayout, NothingIsMissingOrLeftOver) {
  const auto checkpoint = Checkpoint::Open(kLayouts + GetParam().path);
  ASSERT_THAT(checkpoint, IsOk());
  const Inspection inspection = Inspect(*checkpoint);
  EXPECT_TRUE(inspection.complete());
  EXPECT_THAT(inspection.unused, IsEmpty());
  EXPECT_GT(inspection.parameters, 30000);
}

constexpr auto kV1 = ModelFamily::kDino;
constexpr auto kV2 = ModelFamily::kDinov2;
constexpr auto kV3 = ModelFamily::kDinov3;
constexpr auto kOffset = PositionRule::kLearnedOffset;
constexpr auto kSize = PositionRule::kLearnedSize;
constexpr auto kAntialias = PositionRule::kLearnedSizeAntialias;
constexpr auto kRope = PositionRule::kRope;

INSTANTIATE_TEST_SUITE_P(
    Golden, EveryLayout,
    ::testing::Values(
        Layout{"dino-hf", kV1, 0, false, "huggingface", kSize, 1e-12},
        Layout{"dinov2-hf", kV2, 0, false, "huggingface", kSize, 1e-6},
        Layout{"dinov2-hf-shards", kV2, 0, false, "huggingface", kSize, 1e-6},
        Layout{"dinov2-hf-bin", kV2, 0, false, "huggingface", kSize, 1e-6},
        Layout{"dinov2-reg-hf", kV2, 4, false, "huggingface", kAntialias, 1e-6},
        Layout{"dinov2-gated-hf", kV2, 0, true, "huggingface", kSize, 1e-6},
        Layout{"dinov3-hf", kV3, 4, false, "huggingface", kRope, 1e-5},
        Layout{"dinov3-gated-hf", kV3, 4, true, "huggingface", kRope, 1e-5},
        Layout{"dino-timm", kV1, 0, false, "timm", kAntialias, 1e-6},
        Layout{"dinov2-timm", kV2, 0, false, "timm", kAntialias, 1e-6},
        Layout{"dinov2-reg-timm", kV2, 4, false, "timm", kAntialias, 1e-6},
        Layout{"dinov2-gated-timm", kV2, 0, true, "timm", kAntialias, 1e-6},
        Layout{"dinov3-timm", kV3, 4, false, "timm", kRope, 1e-5, /*qkv_bias=*/false},
        Layout{"dinov3-qkvb-timm", kV3, 4, false, "timm", kRope, 1e-5},
        Layout{"dinov3-gated-timm", kV3, 4, true, "timm", kRope, 1e-5, /*qkv_bias=*/false},
        Layout{"dino.pth", kV1, 0, false, "original", kOffset, 1e-6},
        Layout{"dino-full.pth", kV1, 0, false, "original", kOffset, 1e-6},
        Layout{"dino-shared.pth", kV1, 0, false, "original", kOffset, 1e-6},
        Layout{"dinov2.pth", kV2, 0, false, "original", kOffset, 1e-6},
        Layout{"dinov2-chunked.safetensors", kV2, 0, false, "original", kOffset, 1e-6},
        Layout{"dinov2-reg.pth", kV2, 4, false, "original", kAntialias, 1e-6},
        Layout{"dinov2-gated.pth", kV2, 0, true, "original", kOffset, 1e-6},
        Layout{"dinov3.pth", kV3, 4, false, "original", kRope, 1e-5},
        Layout{"dinov3-gated.pth", kV3, 4, true, "original", kRope, 1e-5}));

TEST(Layouts, LegacyFileIsAnsweredWithTheCommandThatConvertsIt) {
  const std::string path = std::string(kLayouts) + "legacy.pth";
  EXPECT_THAT(Checkpoint::Open(path),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("before 1.6"), HasSubstr("python3 -c \"import sys, torch; "),
                             HasSubstr("'" + path + "' '" + path + ".zip.pth'"))));
}

TEST(Layouts, TeacherIsReadOfAFullCheckpoint) {
  const auto checkpoint = Checkpoint::Open(std::string(kLayouts) + "dino-full.pth");
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_EQ(checkpoint->files()[0]->part(), "teacher");
  EXPECT_EQ(Inspect(*checkpoint).known_unused.size(), 2U);  // of its head
}

TEST(Layouts, FileOfAFolderBringsItsDescription) {
  const auto checkpoint = Checkpoint::Open(std::string(kLayouts) + "dino-hf/model.safetensors");
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_TRUE(checkpoint->config().random_weights);
}

TEST(Layouts, FolderOfSeveralModelsIsRefused) {
  EXPECT_THAT(Checkpoint::Open(kLayouts), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                   AllOf(HasSubstr("name one of them"),
                                                         HasSubstr("dino.pth, dinov2-chunked"))));
}

}  // namespace
}  // namespace objectdino
