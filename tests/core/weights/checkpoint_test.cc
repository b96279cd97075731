// SPDX-License-Identifier: Apache-2.0
#include "core/weights/checkpoint.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/weights/inspection.h"
#include "tests/core/weights/model_folder.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::FileTensor;
using ::objectdino::testing::FloatTensor;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::MakeSafetensors;
using ::objectdino::testing::StatusIs;
using ::objectdino::testing::TempFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kBad = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

constexpr char kConfig[] =
    R"({"model_type": "dinov2", "hidden_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 2, "mlp_ratio": 2, "image_size": 4, "patch_size": 2,
        "layer_norm_eps": 1e-6})";
constexpr char kQuery[] = "encoder.layer.0.attention.attention.query.weight";

FileTensor Zeros(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return FloatTensor(shape, std::vector<float>(count, 0));
}

// Every tensor has a style only with one of attention.
absl::StatusOr<Checkpoint> OpenSingle(const TempFolder& folder,
                                      std::map<std::string, FileTensor> tensors,
                                      const std::string& config = kConfig) {
  tensors.emplace(kQuery, Zeros({4, 4}));
  folder.Write("config.json", config);
  folder.Write("model.safetensors", MakeSafetensors(tensors));
  return Checkpoint::Open(folder.path());
}

TEST(Checkpoint, TensorIsCopied) {
  const TempFolder folder;
  const auto checkpoint =
      OpenSingle(folder, {{"layernorm.weight", FloatTensor({4}, {1, 2, 3, 4})}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_EQ(checkpoint->config().width, 4);
  const auto tensor = checkpoint->Get("norm.weight", {4});
  ASSERT_THAT(tensor, IsOk());
  EXPECT_TRUE(tensor->equal(at::tensor({1.F, 2.F, 3.F, 4.F}))) << *tensor;
}

TEST(Checkpoint, TensorOutlivesTheCheckpoint) {
  at::Tensor tensor;
  {
    const TempFolder folder;
    const auto checkpoint = OpenSingle(folder, {{"layernorm.weight", FloatTensor({1}, {7})}});
    ASSERT_THAT(checkpoint, IsOk());
    tensor = checkpoint->Get("norm.weight", {1}).value();
  }
  EXPECT_EQ(tensor.item<float>(), 7);
}

TEST(Checkpoint, HalfAndBfloat16AreWidened) {
  const TempFolder folder;
  // "a_odd" shifts what follows to an odd address. 0x3e00 is 1.5 in F16, 0xc020 is -2.5 in BF16.
  const auto checkpoint =
      OpenSingle(folder, {{"a_odd", {"U8", {1}, "x"}},
                          {"layernorm.bias", {"F16", {1}, std::string("\x00\x3e", 2)}},
                          {"layernorm.weight", {"BF16", {1}, std::string("\x20\xc0", 2)}}});
  ASSERT_THAT(checkpoint, IsOk());
  const at::Tensor bias = checkpoint->Get("norm.bias", {1}).value();
  const at::Tensor weight = checkpoint->Get("norm.weight", {1}).value();
  EXPECT_EQ(bias.scalar_type(), at::kFloat);
  EXPECT_EQ(bias.item<float>(), 1.5F);
  EXPECT_EQ(weight.scalar_type(), at::kFloat);
  EXPECT_EQ(weight.item<float>(), -2.5F);
}

TEST(Checkpoint, LongTensorsAreConvertedWhole) {
  constexpr int64_t kCount = 100'003;
  FileTensor half{.dtype = "F16", .shape = {kCount}, .bytes = std::string(2 * kCount, '\0')};
  at::Tensor expected = at::empty({kCount});
  for (int64_t i = 0; i < kCount; ++i) {
    // Whole numbers 1024 to 2047: exponent 25 and a mantissa that counts.
    const auto bits = static_cast<uint16_t>(25 << 10 | i % 1024);
    std::memcpy(half.bytes.data() + 2 * i, &bits, 2);
    expected[i] = 1024 + i % 1024;
  }
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {{"layernorm.weight", half}});
  ASSERT_THAT(checkpoint, IsOk());
  const auto tensor = checkpoint->Get("norm.weight", {kCount});
  ASSERT_THAT(tensor, IsOk());
  EXPECT_TRUE(tensor->equal(expected));
}

TEST(Checkpoint, MissingTensorIsCalledAsTheFileWouldCallIt) {
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("cls_token", {1, 1, 4}),
              StatusIs(kBad, HasSubstr("'embeddings.cls_token' is missing")));
  EXPECT_THAT(
      checkpoint->Get("blocks.0.attn.proj.weight", {4, 4}),
      StatusIs(kBad, HasSubstr("'encoder.layer.0.attention.output.dense.weight' is missing")));
}

TEST(Checkpoint, WrongShapeIsNamed) {
  const TempFolder folder;
  const auto checkpoint =
      OpenSingle(folder, {{"dinov2.layernorm.weight", FloatTensor({2}, {1, 2})}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("norm.weight", {4}),
              StatusIs(kBad, HasSubstr("'dinov2.layernorm.weight' is [2] F32, expected [4]")));
}

TEST(Checkpoint, WrongPartIsNamed) {
  const TempFolder folder;
  const std::string layer = "encoder.layer.0.attention.attention.";
  const auto checkpoint = OpenSingle(
      folder, {{layer + "key.weight", Zeros({4, 2})}, {layer + "value.weight", Zeros({4, 4})}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("blocks.0.attn.qkv.weight", {12, 4}),
              StatusIs(kBad, HasSubstr("key.weight' is [4, 2] F32, expected [4, 4]")));
}

TEST(Checkpoint, WrongDtypeIsNamed) {
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {{"layernorm.weight", {"I32", {1}, "1234"}}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("norm.weight", {1}),
              StatusIs(kBad, HasSubstr("'layernorm.weight' is [1] I32, expected F32")));
}

TEST(Checkpoint, NamesEqualWithoutTheirWrappersAreRefused) {
  const TempFolder folder;
  EXPECT_THAT(
      OpenSingle(folder, {{"layernorm.bias", Zeros({4})}, {"vit.layernorm.bias", Zeros({4})}}),
      StatusIs(kBad, AllOf(HasSubstr("'vit.layernorm.bias' appears twice"),
                           HasSubstr("'layernorm.bias'"))));
}

// A DINOv3 of two blocks; the test adds what it is about.
constexpr char kDinov3Config[] =
    R"({"model_type": "dinov3_vit", "hidden_size": 4, "num_hidden_layers": 2,
        "num_attention_heads": 1, "intermediate_size": 8, "image_size": 4, "patch_size": 2,
        "layer_norm_eps": 1e-5})";

TEST(Checkpoint, BiasThatOneBlockLacksIsMissing) {
  const TempFolder folder;
  folder.Write("config.json", kDinov3Config);
  folder.Write("model.safetensors",
               MakeSafetensors({{"layer.0.attention.q_proj.weight", Zeros({4, 4})},
                                {"layer.0.attention.q_proj.bias", Zeros({4})},
                                {"layer.0.attention.v_proj.bias", Zeros({4})}}));
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("blocks.0.attn.qkv.bias", {12}), IsOk());
  EXPECT_THAT(checkpoint->Get("blocks.1.attn.qkv.bias", {12}),
              StatusIs(kBad, HasSubstr("'layer.1.attention.q_proj.bias' is missing")));
}

TEST(Checkpoint, OnlyDinov3MayLeaveBiasesOut) {
  const TempFolder folder;
  folder.Write("config.json", kDinov3Config);
  folder.Write("model.safetensors",
               MakeSafetensors({{"layer.0.attention.q_proj.weight", Zeros({4, 4})}}));
  auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_THAT(checkpoint, IsOk());
  const auto bias = checkpoint->Get("blocks.0.attn.qkv.bias", {12});
  ASSERT_THAT(bias, IsOk());
  EXPECT_TRUE(bias->equal(at::zeros({12})));
  EXPECT_THAT(checkpoint->Get("norm.bias", {4}),
              StatusIs(kBad, HasSubstr("'norm.bias' is missing")));
  checkpoint = OpenSingle(folder, {});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("blocks.0.attn.qkv.bias", {12}),
              StatusIs(kBad, HasSubstr("missing")));
}

TEST(Checkpoint, ConfigThatContradictsTheTensorsIsNamed) {
  const TempFolder folder;
  const auto expect = [&](const std::string& name, const std::vector<int64_t>& shape,
                          const std::string& key) {
    EXPECT_THAT(OpenSingle(folder, {{name, Zeros(shape)}}),
                StatusIs(kBad, AllOf(StartsWith(folder.path() + "/config.json: "), HasSubstr(key),
                                     HasSubstr("'" + name + "'"))));
  };
  expect("encoder.layer.1.norm1.weight", {4}, "'num_hidden_layers' says 1");
  expect("embeddings.register_tokens", {1, 4, 4}, "'num_register_tokens' says 0");
}

TEST(Checkpoint, ConfigOfAnotherFamilyIsRefused) {
  const TempFolder folder;
  EXPECT_THAT(OpenSingle(folder, {}, kDinov3Config),
              StatusIs(kBad, HasSubstr("'model_type' says 'dinov3_vit'")));
}

TEST(Checkpoint, FileOfAnotherNetworkIsRefusedWithWhatItHolds) {
  const TempFolder folder;
  folder.Write("x.safetensors", MakeSafetensors({{"conv1.weight", Zeros({4})}}));
  EXPECT_THAT(
      Checkpoint::Open(folder.path() + "/x.safetensors"),
      StatusIs(kBad, AllOf(StartsWith(folder.path() + "/x.safetensors: "),
                           HasSubstr("no tensor has a name"), HasSubstr("'conv1.weight'"))));
}

// A whole model of the authors' naming, 64 wide.
std::map<std::string, FileTensor> OriginalTensors() {
  return {{"cls_token", Zeros({1, 1, 64})},
          {"pos_embed", Zeros({1, 5, 64})},
          {"mask_token", Zeros({1, 64})},
          {"patch_embed.proj.weight", Zeros({64, 3, 2, 2})},
          {"patch_embed.proj.bias", Zeros({64})},
          {"blocks.0.norm1.weight", Zeros({64})},
          {"blocks.0.norm1.bias", Zeros({64})},
          {"blocks.0.attn.qkv.weight", Zeros({192, 64})},
          {"blocks.0.attn.qkv.bias", Zeros({192})},
          {"blocks.0.attn.proj.weight", Zeros({64, 64})},
          {"blocks.0.attn.proj.bias", Zeros({64})},
          {"blocks.0.ls1.gamma", Zeros({64})},
          {"blocks.0.norm2.weight", Zeros({64})},
          {"blocks.0.norm2.bias", Zeros({64})},
          {"blocks.0.mlp.fc1.weight", Zeros({8, 64})},
          {"blocks.0.mlp.fc1.bias", Zeros({8})},
          {"blocks.0.mlp.fc2.weight", Zeros({64, 8})},
          {"blocks.0.mlp.fc2.bias", Zeros({64})},
          {"blocks.0.ls2.gamma", Zeros({64})},
          {"norm.weight", Zeros({64})},
          {"norm.bias", Zeros({64})}};
}

absl::StatusOr<Checkpoint> OpenOriginal(const TempFolder& folder,
                                        const std::map<std::string, FileTensor>& tensors) {
  folder.Write("x.safetensors", MakeSafetensors(tensors));
  return Checkpoint::Open(folder.path());
}

TEST(Checkpoint, DescriptionOfTimmIsCheckedToo) {
  const TempFolder folder;
  folder.Write("model.safetensors", MakeSafetensors(OriginalTensors()));
  folder.Write("config.json", R"({"architecture": "vit_x", "num_features": 64})");
  ASSERT_THAT(Checkpoint::Open(folder.path()), IsOk());
  folder.Write("config.json", R"({"architecture": "vit_x", "num_features": 128})");
  EXPECT_THAT(Checkpoint::Open(folder.path()),
              StatusIs(kBad, HasSubstr("config.json: config key 'num_features' says 128")));
}

TEST(Checkpoint, ShapesThatGiveNoConfigAreNamed) {
  const TempFolder folder;
  const auto expect = [&](const std::string& name, const std::vector<int64_t>& shape,
                          const std::string& reason) {
    std::map<std::string, FileTensor> tensors = OriginalTensors();
    tensors[name] = Zeros(shape);
    EXPECT_THAT(OpenOriginal(folder, tensors),
                StatusIs(kBad, AllOf(HasSubstr("'" + name + "' is ["), HasSubstr(reason))));
  };
  ASSERT_THAT(OpenOriginal(folder, OriginalTensors()), IsOk());
  expect("patch_embed.proj.weight", {64, 3, 2}, "[width, 3, patch, patch]");
  expect("patch_embed.proj.weight", {64, 1, 2, 2}, "[width, 3, patch, patch]");
  expect("patch_embed.proj.weight", {64, 3, 2, 4}, "[width, 3, patch, patch]");
  expect("patch_embed.proj.weight", {60, 3, 2, 2}, "a multiple of 64");
  expect("pos_embed", {1, 6, 64}, "[1, 1 + side^2, width]");
  expect("pos_embed", {5, 64}, "[1, 1 + side^2, width]");
  expect("blocks.0.mlp.fc2.weight", {64}, "[width, hidden]");
}

TEST(Checkpoint, FloodOfBlocksIsRefused) {
  std::map<std::string, FileTensor> tensors = OriginalTensors();
  tensors["blocks.9999.norm1.weight"] = Zeros({64});
  const TempFolder folder;
  EXPECT_THAT(OpenOriginal(folder, tensors), StatusIs(kBad, HasSubstr("counts 10000 blocks")));
}

TEST(Checkpoint, TensorsThatAConfigNeedsAreNamedWhenTheyAreMissing) {
  for (const std::string name : {"patch_embed.proj.weight", "blocks.0.mlp.fc2.weight"}) {
    const TempFolder folder;
    std::map<std::string, FileTensor> tensors = OriginalTensors();
    tensors.erase(name);
    EXPECT_THAT(OpenOriginal(folder, tensors),
                StatusIs(kBad, HasSubstr("'" + name + "' is missing")));
  }
}

TEST(Checkpoint, InspectionListsWhatDoesNotFit) {
  const TempFolder folder;
  std::map<std::string, FileTensor> tensors = OriginalTensors();
  tensors.erase("norm.bias");
  tensors["blocks.0.ls1.gamma"] = Zeros({3});
  tensors["blocks.0.adapter"] = Zeros({2});
  const auto checkpoint = OpenOriginal(folder, tensors);
  ASSERT_THAT(checkpoint, IsOk());
  const Inspection inspection = Inspect(*checkpoint);
  EXPECT_FALSE(inspection.complete());
  EXPECT_THAT(inspection.missing, ElementsAre("'norm.bias' [64]"));
  EXPECT_THAT(inspection.odd,
              ElementsAre("'blocks.0.ls1.gamma' is [3] F32, expected [64] F32, F16 or BF16"));
  EXPECT_THAT(inspection.unused, ElementsAre("'blocks.0.adapter' [2]"));
  EXPECT_THAT(inspection.known_unused, ElementsAre("'mask_token' [1, 64]"));
}

TEST(Checkpoint, PeriodsOfTheirOwnAreUsed) {
  std::map<std::string, FileTensor> tensors = OriginalTensors();
  tensors.erase("pos_embed");
  std::vector<float> periods(16);
  for (int t = 0; t < 16; ++t) periods[t] = static_cast<float>(std::pow(100.0, t / 16.0) * 1.003);
  tensors["rope_embed.periods"] = FloatTensor({16}, periods);
  const TempFolder folder;
  auto checkpoint = OpenOriginal(folder, tensors);
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_EQ(checkpoint->config().family, ModelFamily::kDinov3);
  EXPECT_FALSE(checkpoint->config().file_periods);  // as after rounding
  periods[3] *= 1.1F;
  tensors["rope_embed.periods"] = FloatTensor({16}, periods);
  checkpoint = OpenOriginal(folder, tensors);
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_TRUE(checkpoint->config().file_periods);
  const auto read = checkpoint->Get("rope_periods", {16});
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ((*read)[3].item<float>(), periods[3]);
}

TEST(Checkpoint, VariantsHaveTheirNames) {
  ModelConfig config;
  config.layers = 12;
  config.width = 384;
  config.patch_size = 14;
  EXPECT_EQ(VariantName(config), "DINOv2 ViT-S/14");
  config.registers = 4;
  EXPECT_EQ(VariantName(config), "DINOv2 ViT-S/14 with 4 registers");
  config.family = ModelFamily::kDinov3;
  config.layers = 32;
  config.width = 1280;
  config.patch_size = 16;
  config.swiglu = true;
  EXPECT_EQ(VariantName(config), "DINOv3 ViT-H+/16");
  config.layers = 3;
  EXPECT_EQ(VariantName(config), "DINOv3 ViT of 3 layers, 1280 wide, patch 16");
}

TEST(Checkpoint, DigestIsSha256OfTheFile) {
  const TempFolder folder;
  const std::string bytes = MakeSafetensors({{kQuery, Zeros({1})}});
  folder.Write("config.json", kConfig);
  folder.Write("model.safetensors", bytes);
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_THAT(checkpoint, IsOk());
  // sha256sum of the file, written down from the command.
  EXPECT_EQ(checkpoint->digest(),
            "31bc6843cb4555a3f1c0df2cee2e253878f32fd9c18a49da33ab227ed5fabbfb");
}

TEST(Checkpoint, ShardsAreReadAsOneModel) {
  const TempFolder folder;
  folder.Write("config.json", kConfig);
  folder.Write("x-2.safetensors", MakeSafetensors({{kQuery, Zeros({1})}}));
  folder.Write("x-1.safetensors", MakeSafetensors({{"layernorm.bias", Zeros({1})}}));
  folder.Write("model.safetensors.index.json",
               R"({"weight_map": {"layernorm.bias": "x-1.safetensors", ")" + std::string(kQuery) +
                   R"(": "x-2.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("norm.bias", {1}), IsOk());
  // Of the files one after the other, by name.
  EXPECT_EQ(checkpoint->digest(),
            "d50ba4673d98316cfbc974184ffe80641264773c895c15950bc484a00dafab67");
}

TEST(Checkpoint, IndexThatDiffersFromItsFilesIsNamed) {
  const TempFolder folder;
  folder.Write("config.json", kConfig);
  folder.Write("1.safetensors", MakeSafetensors({{kQuery, Zeros({1})}}));
  folder.Write("2.safetensors", MakeSafetensors({{"layernorm.bias", Zeros({1})}}));
  const auto expect = [&folder](const std::string& map, const std::string& reason) {
    folder.Write("model.safetensors.index.json", R"({"weight_map": {)" + map + "}}");
    EXPECT_THAT(Checkpoint::Open(folder.path()),
                StatusIs(kBad, AllOf(HasSubstr("index.json: tensor '"), HasSubstr(reason))));
  };
  const std::string query = std::string("\"") + kQuery + "\": \"1.safetensors\"";
  expect(query + R"(, "x": "2.safetensors")",
         "'layernorm.bias' of 2.safetensors is not in the index");
  expect(query + R"(, "layernorm.bias": "2.safetensors", "x": "2.safetensors")",
         "'x' is not in 2.safetensors");
  expect(query + R"(, "layernorm.bias": "1.safetensors", "x": "2.safetensors")",
         "lies in 2.safetensors, the index says 1.safetensors");
}

TEST(Checkpoint, MissingShardIsNamed) {
  const TempFolder folder;
  folder.Write("config.json", kConfig);
  folder.Write("model.safetensors.index.json", R"({"weight_map": {"a": "gone.safetensors"}})");
  EXPECT_THAT(Checkpoint::Open(folder.path()),
              StatusIs(kNotFound, StartsWith(folder.path() + "/gone.safetensors: ")));
}

TEST(Checkpoint, TensorInTwoShardsIsRefused) {
  const TempFolder folder;
  folder.Write("config.json", kConfig);
  const std::string bytes = MakeSafetensors({{"a", FloatTensor({1}, {1})}});
  folder.Write("1.safetensors", bytes);
  folder.Write("2.safetensors", bytes);
  folder.Write("model.safetensors.index.json",
               R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  EXPECT_THAT(Checkpoint::Open(folder.path()), StatusIs(kBad, HasSubstr("'a' appears twice")));
}

TEST(Checkpoint, ShardOutsideTheFolderIsRefused) {
  for (const std::string name :
       {"../model.safetensors", "/etc/a.safetensors", "a.bin", "a\\u0000.safetensors"}) {
    const TempFolder folder;
    folder.Write("config.json", kConfig);
    folder.Write("model.safetensors.index.json", R"({"weight_map": {"a": ")" + name + "\"}}");
    EXPECT_THAT(Checkpoint::Open(folder.path()),
                StatusIs(kBad, HasSubstr("is not a plain file name")))
        << name;
  }
}

TEST(Checkpoint, MalformedIndexIsNamed) {
  for (const std::string text : {"", "[]", "{}", R"({"weight_map": 1})", R"({"weight_map": {}})",
                                 R"({"weight_map": {"a": 1}})"}) {
    const TempFolder folder;
    folder.Write("config.json", kConfig);
    folder.Write("model.safetensors.index.json", text);
    EXPECT_THAT(Checkpoint::Open(folder.path()),
                StatusIs(kBad, AllOf(HasSubstr("index.json: "), HasSubstr("'weight_map'"))))
        << text;
  }
}

TEST(Checkpoint, MissingFolderAndFilesAreNotFound) {
  const TempFolder folder;
  EXPECT_THAT(Checkpoint::Open(folder.path() + "/none"),
              StatusIs(kNotFound, HasSubstr("none: no such file or folder")));
  folder.Write("config.json", kConfig);
  EXPECT_THAT(Checkpoint::Open(folder.path()),
              StatusIs(kNotFound, HasSubstr("no model.safetensors")));
}

TEST(Checkpoint, MalformedConfigIsNamed) {
  const TempFolder folder;
  EXPECT_THAT(OpenSingle(folder, {}, "{}"),
              StatusIs(kBad, AllOf(HasSubstr("config.json: "), HasSubstr("'model_type'"))));
}

}  // namespace
}  // namespace objectdino
