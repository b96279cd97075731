// SPDX-License-Identifier: Apache-2.0
#include "core/vit/vision_transformer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/CPUGeneratorImpl.h"
#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/weights/model_folder.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::FileTensor;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::MakeSafetensors;
using ::objectdino::testing::StatusIs;
using ::objectdino::testing::TempFolder;
using ::testing::HasSubstr;

constexpr auto kBad = absl::StatusCode::kFailedPrecondition;
const char* const kTiny = OBJECTDINO_SOURCE_DIR "/tests/golden/tiny";
const char* const kTinyRegisters = OBJECTDINO_SOURCE_DIR "/tests/golden/tiny-registers";
const char* const kSmall = OBJECTDINO_SOURCE_DIR "/models/dinov2-small";

std::unique_ptr<VisionTransformer> Load(const std::string& folder) {
  at::set_num_threads(1);
  const auto checkpoint = Checkpoint::Open(folder);
  EXPECT_THAT(checkpoint, IsOk());
  auto model = VisionTransformer::Create(checkpoint.value(), "cpu");
  EXPECT_THAT(model, IsOk());
  return *std::move(model);
}

at::Tensor RandomImage(int64_t batch, int64_t height, int64_t width, uint64_t seed = 7) {
  return at::randn({batch, 3, height, width}, at::detail::createCPUGenerator(seed));
}

double MaxError(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a - b).abs().max().item<double>();
}

class TinyModel : public ::testing::TestWithParam<const char*> {
 protected:
  const c10::InferenceMode inference_;
  const std::unique_ptr<VisionTransformer> model_ = Load(GetParam());
};

TEST_P(TinyModel, ShapesAreAsDocumented) {
  const ModelConfig& config = model_->config();
  const ForwardResult result =
      model_->Forward(RandomImage(2, 3 * 14, 5 * 14), {.taps = true, .block_outputs = true});
  const int64_t tokens = config.prefix_tokens() + 15;
  EXPECT_EQ(result.tokens.sizes().vec(), (std::vector<int64_t>{2, tokens, config.width}));
  ASSERT_EQ(result.taps.size(), static_cast<size_t>(config.layers));
  for (int layer = 0; layer < config.layers; ++layer) {
    EXPECT_EQ(result.taps[layer].layer, layer);
    EXPECT_EQ(result.taps[layer].qkv.sizes().vec(),
              (std::vector<int64_t>{2, tokens, 3, config.heads, config.head_dim()}));
  }
  ASSERT_EQ(result.block_outputs.size(), static_cast<size_t>(config.layers) + 1);
  for (const at::Tensor& output : result.block_outputs) {
    EXPECT_EQ(output.sizes().vec(), (std::vector<int64_t>{2, tokens, config.width}));
  }
}

TEST_P(TinyModel, UnwantedResultsAreEmpty) {
  const ForwardResult result = model_->Forward(RandomImage(1, 28, 28), {.taps = false});
  EXPECT_TRUE(result.taps.empty());
  EXPECT_TRUE(result.block_outputs.empty());
}

TEST_P(TinyModel, SameInputTwice_GivesTheSameBits) {
  const at::Tensor image = RandomImage(1, 70, 98);
  EXPECT_TRUE(model_->Forward(image, {}).tokens.equal(model_->Forward(image, {}).tokens));
}

TEST_P(TinyModel, Batch_HasTheBitsOfTheSingles) {
  for (const int64_t batch : {2, 3, 8}) {
    const at::Tensor images = RandomImage(batch, 56, 84);
    const ForwardResult all = model_->Forward(images, {});
    for (int64_t i = 0; i < batch; ++i) {
      const ForwardResult single = model_->Forward(images.narrow(0, i, 1), {});
      EXPECT_TRUE(all.tokens.narrow(0, i, 1).equal(single.tokens));
      for (size_t layer = 0; layer < single.taps.size(); ++layer) {
        EXPECT_TRUE(all.taps[layer].qkv.narrow(0, i, 1).equal(single.taps[layer].qkv));
      }
    }
  }
}

TEST_P(TinyModel, Stop_IsAskedBeforeEveryBlockAndEndsThePass) {
  const at::Tensor image = RandomImage(1, 28, 28);
  for (int blocks = 0; blocks <= model_->config().layers; ++blocks) {
    int asked = 0;
    const ForwardResult result =
        model_->Forward(image, {.stop = [&] { return asked++ == blocks; }});
    EXPECT_EQ(result.stopped, blocks < model_->config().layers);
    EXPECT_EQ(result.taps.size(), static_cast<size_t>(blocks));
    EXPECT_EQ(asked, std::min(blocks + 1, model_->config().layers));
    EXPECT_EQ(result.tokens.defined(), !result.stopped);
  }
}

TEST_P(TinyModel, TwoThreads_GiveWhatOneGives) {
  const std::array<at::Tensor, 2> images = {RandomImage(1, 56, 84, 8), RandomImage(1, 98, 42, 9)};
  std::array<at::Tensor, 2> expected;
  for (size_t i = 0; i < 2; ++i) expected[i] = model_->Forward(images[i], {}).tokens;
  std::array<double, 2> error = {0, 0};
  const auto work = [&](size_t i) {
    const c10::InferenceMode inference;
    for (int round = 0; round < 20; ++round) {
      error[i] = std::max(error[i], MaxError(model_->Forward(images[i], {}).tokens, expected[i]));
    }
  };
  std::thread other(work, 0);
  work(1);
  other.join();
  EXPECT_LT(error[0], 1e-5);
  EXPECT_LT(error[1], 1e-5);
}

TEST_P(TinyModel, ImageOfTheWrongShape_Throws) {
  EXPECT_THROW(model_->Forward(RandomImage(1, 28, 30), {}), c10::Error);
  EXPECT_THROW(model_->Forward(RandomImage(1, 0, 28), {}), c10::Error);
  EXPECT_THROW(model_->Forward(at::zeros({3, 28, 28}), {}), c10::Error);
  EXPECT_THROW(model_->Forward(at::zeros({1, 1, 28, 28}), {}), c10::Error);
  EXPECT_THROW(model_->Forward(at::zeros({1, 3, 28, 28}, at::kDouble), {}), c10::Error);
}

INSTANTIATE_TEST_SUITE_P(Golden, TinyModel, ::testing::Values(kTiny, kTinyRegisters));

TEST(VisionTransformer, UnknownDevice_IsRefused) {
  const auto checkpoint = Checkpoint::Open(kTiny);
  ASSERT_THAT(checkpoint, IsOk());
  for (const std::string device : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:4711"}) {
    EXPECT_THAT(VisionTransformer::Create(*checkpoint, device),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'" + device + "'")));
  }
}

// A small gated model with every tensor that the loader asks for.
std::map<std::string, FileTensor> GatedTensors() {
  const at::Generator random = at::detail::createCPUGenerator(10);
  std::map<std::string, FileTensor> tensors;
  const auto add = [&](const std::string& name, const std::vector<int64_t>& shape) {
    const at::Tensor values = at::randn(shape, random) / 4;
    const float* data = values.const_data_ptr<float>();
    tensors[name] = testing::FloatTensor(shape, std::vector<float>(data, data + values.numel()));
  };
  const auto add_pair = [&](const std::string& name, const std::vector<int64_t>& shape) {
    add(name + ".weight", shape);
    add(name + ".bias", {shape[0]});
  };
  add("embeddings.cls_token", {1, 1, 24});
  add("embeddings.position_embeddings", {1, 5, 24});
  add_pair("embeddings.patch_embeddings.projection", {24, 3, 2, 2});
  for (const std::string name : {"query", "key", "value"}) {
    add_pair("encoder.layer.0.attention.attention." + name, {24, 24});
  }
  add_pair("encoder.layer.0.attention.output.dense", {24, 24});
  add_pair("encoder.layer.0.norm1", {24});
  add_pair("encoder.layer.0.norm2", {24});
  add("encoder.layer.0.layer_scale1.lambda1", {24});
  add("encoder.layer.0.layer_scale2.lambda1", {24});
  add_pair("encoder.layer.0.mlp.weights_in", {64, 24});
  add_pair("encoder.layer.0.mlp.weights_out", {24, 32});
  add_pair("layernorm", {24});
  return tensors;
}

absl::StatusOr<std::unique_ptr<VisionTransformer>> CreateGated(
    const std::map<std::string, FileTensor>& tensors) {
  const TempFolder folder;
  folder.Write("config.json", R"({"model_type": "dinov2", "hidden_size": 24,
      "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_ratio": 2, "image_size": 4,
      "patch_size": 2, "layer_norm_eps": 1e-6, "use_swiglu_ffn": true})");
  folder.Write("model.safetensors", MakeSafetensors(tensors));
  const auto checkpoint = Checkpoint::Open(folder.path());
  if (!checkpoint.ok()) return checkpoint.status();
  return VisionTransformer::Create(*checkpoint, "cpu");
}

TEST(VisionTransformer, LayerScale_MultipliesTheBranches) {
  const c10::InferenceMode inference;
  std::map<std::string, FileTensor> tensors = GatedTensors();
  const std::vector<float> zeros(24, 0);
  tensors["encoder.layer.0.layer_scale1.lambda1"] = testing::FloatTensor({24}, zeros);
  tensors["encoder.layer.0.layer_scale2.lambda1"] = testing::FloatTensor({24}, zeros);
  const auto model = CreateGated(tensors);
  ASSERT_THAT(model, IsOk());
  const ForwardResult result =
      (*model)->Forward(RandomImage(1, 6, 8), {.taps = false, .block_outputs = true});
  EXPECT_TRUE(result.block_outputs[1].equal(result.block_outputs[0]));
}

TEST(VisionTransformer, MissingTensor_IsNamed) {
  const std::map<std::string, FileTensor> complete = GatedTensors();
  ASSERT_THAT(CreateGated(complete), IsOk());
  for (const auto& [name, unused] : complete) {
    std::map<std::string, FileTensor> tensors = complete;
    tensors.erase(name);
    EXPECT_THAT(CreateGated(tensors), StatusIs(kBad, HasSubstr("'" + name + "' is missing")));
  }
}

TEST(VisionTransformer, TensorOfTheWrongShape_IsNamed) {
  const std::map<std::string, FileTensor> complete = GatedTensors();
  for (const auto& [name, unused] : complete) {
    std::map<std::string, FileTensor> tensors = complete;
    tensors[name] = testing::FloatTensor({1}, {0});
    EXPECT_THAT(CreateGated(tensors), StatusIs(kBad, HasSubstr("'" + name + "' is [1] F32")));
  }
}

// Tokens of the real model for a synthetic image, as transformers computes them (first five values
// of three tokens).
struct Published {
  int64_t height;
  int64_t width;
  std::array<std::array<double, 5>, 3> tokens;  // CLS, first patch, last patch
};

class SmallModel : public ::testing::TestWithParam<Published> {};

TEST_P(SmallModel, TokensAreThePublishedOnes) {
  if (!std::filesystem::exists(std::string(kSmall) + "/model.safetensors")) {
    GTEST_SKIP() << "NOT TESTED: " << kSmall << " is absent, run scripts/fetch_model first";
  }
  const c10::InferenceMode inference;
  const Published& published = GetParam();
  const at::Tensor x =
      at::linspace(-1, 1, published.width).expand({published.height, published.width});
  const at::Tensor y = at::linspace(-1, 1, published.height)
                           .unsqueeze(1)
                           .expand({published.height, published.width});
  const at::Tensor image = at::stack({x, y, x * y}).unsqueeze(0);  // [1, 3, height, width]
  const at::Tensor tokens = Load(kSmall)->Forward(image, {.taps = false}).tokens[0];  // [T, D]
  const std::array<int64_t, 3> index = {0, 1, tokens.size(0) - 1};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 5; ++j) {
      const double actual = tokens[index[i]][static_cast<int64_t>(j)].item<double>();
      EXPECT_NEAR(actual, published.tokens[i][j], 2e-3) << "token " << index[i] << " value " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, SmallModel,
                         ::testing::Values(Published{224,
                                                     224,
                                                     {{{.1597, .6189, 2.5152, -4.0656, -.6721},
                                                       {.8239, -1.1467, .5170, -4.2315, -.6518},
                                                       {1.2013, .4024, .7814, -4.5036, -.5343}}}},
                                           Published{448,
                                                     336,
                                                     {{{.5432, .4343, 2.1971, -4.4459, -.6616},
                                                       {1.1232, -.9936, .4001, -4.4347, -.6221},
                                                       {1.5477, .5010, .6368, -4.6266, -.4900}}}},
                                           Published{518,
                                                     518,
                                                     {{{.7462, .3809, 1.9849, -4.5203, -.7153},
                                                       {1.2902, -.8657, .4052, -4.4396, -.7038},
                                                       {1.7313, .6410, .6119, -4.5832, -.5372}}}}),
                         [](const ::testing::TestParamInfo<Published>& published) {
                           return absl::StrCat(published.param.height, "x", published.param.width);
                         });

}  // namespace
}  // namespace objectdino
