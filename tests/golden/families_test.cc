// SPDX-License-Identifier: Apache-2.0
// A backbone of every family against what transformers, or the originals' code, computes with the
// same weights (families.py, originals.py): taps of every layer, blocks, final tokens, CLS
// attention.
//
// FullSize takes its models from the folder OBJECTDINO_FAMILIES, which scripts/families fills, and
// is skipped without it. Every model runs on CUDA as well where there is a device.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "c10/core/InferenceMode.h"
#include "gtest/gtest.h"

#include "core/heads/cls_attention.h"
#include "core/vit/learned_position.h"
#include "core/vit/vision_transformer.h"
#include "core/weights/checkpoint.h"
#include "core/weights/safetensors.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 1e-3;
constexpr double kAttentionTolerance = 1e-6;  // of values of about 1 / N
constexpr double kBf16Cosine = 0.999;
constexpr char kExpected[] = "_family.safetensors";

at::Tensor ToTensor(const TensorView& view) {
  const at::Tensor tensor = at::empty(view.shape, at::kFloat);
  EXPECT_EQ(view.bytes.size(), static_cast<size_t>(tensor.numel()) * sizeof(float));
  std::memcpy(tensor.data_ptr<float>(), view.bytes.data(), view.bytes.size());
  return tensor;
}

// families.picture
at::Tensor Picture(int64_t height, int64_t width) {
  const at::Tensor c = at::arange(3, at::kDouble).view({3, 1, 1});
  const at::Tensor y = at::arange(height, at::kDouble).view({1, height, 1});
  const at::Tensor x = at::arange(width, at::kDouble).view({1, 1, width});
  const at::Tensor value = ((c + 1) * 0.11 * x + y * 0.07).sin() + ((c + 2) * 0.05 * y).cos();
  return value.unsqueeze(0).to(at::kFloat);  // [1, 3, height, width]
}

// Every stage of one image on the CPU: [T, D] each, and "cls_attention" [N].
std::map<std::string, at::Tensor> Stages(const VisionTransformer& model, const at::Tensor& image) {
  const ForwardResult forward = model.Forward(image, {.taps = true, .block_outputs = true});
  std::map<std::string, at::Tensor> stages;
  stages["embeddings"] = forward.block_outputs[0][0];
  for (int layer = 0; layer < model.config().layers; ++layer) {
    const at::Tensor qkv = forward.taps[layer].qkv[0].flatten(2);  // [T, 3, D]
    stages[absl::StrCat("q_", layer)] = qkv.select(1, 0);
    stages[absl::StrCat("k_", layer)] = qkv.select(1, 1);
    stages[absl::StrCat("v_", layer)] = qkv.select(1, 2);
    stages[absl::StrCat("block_", layer)] = forward.block_outputs[layer + 1][0];
  }
  stages["tokens"] = forward.tokens[0];
  for (auto& [name, stage] : stages) stage = stage.to(at::kCPU);
  std::vector<float> attention = ClsAttention(forward.taps, model.config().prefix_tokens());
  stages["cls_attention"] = at::tensor(attention);
  return stages;
}

// The part of a stage that a file keeps, see families.corners.
at::Tensor Part(const at::Tensor& stage, absl::string_view part, at::IntArrayRef shape) {
  if (part == "corner") return stage.slice(0, 0, shape[0]).slice(1, 0, shape[1]);
  if (part == "tail") return stage.slice(0, stage.size(0) - shape[0]).slice(1, 0, shape[1]);
  if (part == "mean") return stage.mean(0);
  return stage;
}

double Cosine(const at::Tensor& a, const at::Tensor& b) {
  return ((a * b).sum() / (a.norm() * b.norm())).item<double>();
}

// Worst error of one input: taps, everything.
struct Errors {
  double taps = 0;
  double tokens = 0;
  double attention = 0;
  double cosine = 1;
};

// Compares every tensor of the file; prints a line an input.
void CheckModel(const std::string& name, const std::string& folder, const std::string& expected,
                const std::string& device, bool bf16) {
  const c10::InferenceMode inference;
  const auto checkpoint = Checkpoint::Open(folder);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto model = VisionTransformer::Create(*checkpoint, device);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto file = SafetensorsFile::Open(expected);
  ASSERT_TRUE(file.ok()) << file.status();

  std::map<std::string, std::map<std::string, at::Tensor>> inputs;
  std::map<std::string, Errors> errors;
  for (const auto& [key, view] : (*file)->table().tensors) {
    const std::vector<std::string> parts = absl::StrSplit(key, '.');
    const std::string& input = parts[0];
    if (inputs.count(input) == 0) {
      int64_t height = 0, width = 0;
      const std::vector<std::string> sides = absl::StrSplit(input, 'x');
      ASSERT_TRUE(absl::SimpleAtoi(sides[0], &height) && absl::SimpleAtoi(sides[1], &width)) << key;
      inputs.clear();  // keys are sorted: one input after the other
      inputs[input] = Stages(**model, Picture(height, width));
    }
    const auto stage = inputs[input].find(parts[1]);
    ASSERT_NE(stage, inputs[input].end()) << key;
    const at::Tensor wanted = ToTensor(view);
    const at::Tensor actual = Part(stage->second, parts.size() > 2 ? parts[2] : "", view.shape);
    ASSERT_EQ(actual.sizes(), wanted.sizes()) << key;
    const double error = (actual - wanted).abs().max().item<double>();
    const double cosine = Cosine(actual, wanted);
    if (bf16) {
      EXPECT_GT(cosine, kBf16Cosine) << name << " " << key;
    } else {
      const bool attention = parts[1] == "cls_attention";
      EXPECT_LE(error, attention ? kAttentionTolerance : kTolerance) << name << " " << key;
    }
    Errors& worst = errors[input];
    double& kind = parts[1] == "cls_attention"                       ? worst.attention
                   : parts[1] == "tokens"                            ? worst.tokens
                   : absl::StrContains("qkv", parts[1].substr(0, 1)) ? worst.taps
                                                                     : worst.tokens;
    kind = std::max(kind, error);
    worst.cosine = std::min(worst.cosine, cosine);
  }
  ASSERT_EQ(errors.size(), 3U) << "nothing is tested";
  for (const auto& [input, worst] : errors) {
    std::printf("%-30s %-6s %-9s taps %.1e  tokens %.1e  cls %.1e  1-cos %.1e\n", name.c_str(),
                device.c_str(), input.c_str(), worst.taps, worst.tokens, worst.attention,
                1 - worst.cosine);
  }
}

class CommittedTest : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string Golden() { return std::string(OBJECTDINO_SOURCE_DIR) + "/tests/golden/"; }
  static void Check(const std::string& device) {
    const std::string name = GetParam();
    CheckModel(name, Golden() + name, Golden() + name + kExpected, device, /*bf16=*/false);
  }
};

TEST_P(CommittedTest, EveryStageMatches) { Check("cpu"); }

TEST_P(CommittedTest, EveryStageMatchesOnCuda) {
  if (!at::hasCUDA()) GTEST_SKIP() << "NOT TESTED: there is no CUDA device";
  Check("cuda");
}

INSTANTIATE_TEST_SUITE_P(Models, CommittedTest,
                         ::testing::Values("tiny", "tiny-registers", "tiny-dino-16", "tiny-dino-8",
                                           "tiny-swiglu", "tiny-swiglu-registers", "tiny-dinov3",
                                           "tiny-dinov3-gated"),
                         [](const ::testing::TestParamInfo<const char*>& param_info) {
                           std::string name = param_info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Positions, EveryRuleMatches) {
  const c10::InferenceMode inference;
  const auto file = SafetensorsFile::Open(std::string(OBJECTDINO_SOURCE_DIR) +
                                          "/tests/golden/positions.safetensors");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto& tensors = (*file)->table().tensors;
  const std::pair<const char*, PositionRule> rules[] = {
      {"offset", PositionRule::kLearnedOffset},
      {"size", PositionRule::kLearnedSize},
      {"antialias", PositionRule::kLearnedSizeAntialias}};
  int cases = 0;
  for (const auto& [key, view] : tensors) {
    absl::string_view name = key;
    if (!absl::ConsumePrefix(&name, "table.")) continue;
    const std::vector<std::string> numbers = absl::StrSplit(name, absl::ByAnyChar("_x"));
    for (const auto& [rule_name, rule] : rules) {
      const LearnedPosition position(ToTensor(view), rule, at::kCPU);
      const at::Tensor actual = position.For(std::stoi(numbers[1]), std::stoi(numbers[2]));
      const at::Tensor wanted = ToTensor(tensors.at(absl::StrCat(rule_name, ".", name)));
      ASSERT_EQ(actual.sizes(), wanted.sizes());
      EXPECT_LT((actual - wanted).abs().max().item<double>(), 2e-5) << rule_name << " " << name;
      ++cases;
    }
  }
  EXPECT_GE(cases, 21);
}

TEST(FullSize, EveryModelOfTheFolderMatches) {
  const char* const folder = std::getenv("OBJECTDINO_FAMILIES");
  if (folder == nullptr) {
    GTEST_SKIP() << "NOT TESTED: OBJECTDINO_FAMILIES names no folder, run scripts/families";
  }
  int models = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!entry.is_directory()) continue;
    const std::string expected = entry.path().string() + kExpected;
    const bool bf16 = absl::EndsWith(name, "-bf16");
    CheckModel(name, entry.path(), expected, "cpu", bf16);
    if (at::hasCUDA()) CheckModel(name, entry.path(), expected, "cuda", bf16);
    ++models;
  }
  EXPECT_GT(models, 0) << "nothing is tested";
  if (!at::hasCUDA()) std::printf("NOT TESTED on CUDA: there is no device\n");
}

}  // namespace
}  // namespace objectdino
