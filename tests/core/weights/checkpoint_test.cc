// SPDX-License-Identifier: Apache-2.0
#include "core/weights/checkpoint.h"

#include <filesystem>
#include <map>
#include <string>

#include "ATen/ATen.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kBad = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

constexpr char kConfig[] =
    R"({"model_type": "dinov2", "hidden_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 2, "mlp_ratio": 2, "image_size": 4, "patch_size": 2,
        "layer_norm_eps": 1e-6})";

absl::StatusOr<Checkpoint> OpenSingle(const TempFolder& folder,
                                      const std::map<std::string, FileTensor>& tensors) {
  folder.Write("config.json", kConfig);
  folder.Write("model.safetensors", MakeSafetensors(tensors));
  return Checkpoint::Open(folder.path());
}

TEST(Checkpoint, TensorIsCopied) {
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {{"w", FloatTensor({2, 2}, {1, 2, 3, 4})}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_EQ(checkpoint->config().width, 4);
  const auto tensor = checkpoint->Get("w", {2, 2});
  ASSERT_THAT(tensor, IsOk());
  EXPECT_TRUE(tensor->equal(at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 2}))) << *tensor;
}

TEST(Checkpoint, TensorOutlivesTheCheckpoint) {
  at::Tensor tensor;
  {
    const TempFolder folder;
    const auto checkpoint = OpenSingle(folder, {{"w", FloatTensor({1}, {7})}});
    ASSERT_THAT(checkpoint, IsOk());
    tensor = checkpoint->Get("w", {1}).value();
  }
  EXPECT_EQ(tensor.item<float>(), 7);
}

TEST(Checkpoint, HalfAndBfloat16AreWidened) {
  const TempFolder folder;
  // "odd" shifts what follows to an odd address. 0x3e00 is 1.5 in F16, 0xc020 is -2.5 in BF16.
  const auto checkpoint = OpenSingle(folder, {{"a_odd", {"U8", {1}, "x"}},
                                              {"b", {"F16", {1}, std::string("\x00\x3e", 2)}},
                                              {"c", {"BF16", {1}, std::string("\x20\xc0", 2)}}});
  ASSERT_THAT(checkpoint, IsOk());
  const at::Tensor b = checkpoint->Get("b", {1}).value();
  const at::Tensor c = checkpoint->Get("c", {1}).value();
  EXPECT_EQ(b.scalar_type(), at::kFloat);
  EXPECT_EQ(b.item<float>(), 1.5F);
  EXPECT_EQ(c.scalar_type(), at::kFloat);
  EXPECT_EQ(c.item<float>(), -2.5F);
}

TEST(Checkpoint, MissingTensorIsNamed) {
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("embeddings.cls_token", {1}),
              StatusIs(kBad, HasSubstr("'embeddings.cls_token' is missing")));
}

TEST(Checkpoint, WrongShapeIsNamed) {
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {{"w", FloatTensor({2}, {1, 2})}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("w", {1, 2}),
              StatusIs(kBad, HasSubstr("'w' is [2] F32, expected [1, 2]")));
}

TEST(Checkpoint, WrongDtypeIsNamed) {
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {{"w", {"I32", {1}, "1234"}}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("w", {1}), StatusIs(kBad, HasSubstr("'w' is [1] I32, expected F32")));
}

TEST(Checkpoint, KnownPrefixesAreStripped) {
  const TempFolder folder;
  const auto checkpoint = OpenSingle(folder, {{"dinov2.a", FloatTensor({1}, {1})},
                                              {"dinov2_with_registers.b", FloatTensor({1}, {2})},
                                              {"vit.c", FloatTensor({1}, {3})},
                                              {"other.d", FloatTensor({1}, {4})}});
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("a", {1}), IsOk());
  EXPECT_THAT(checkpoint->Get("b", {1}), IsOk());
  EXPECT_THAT(checkpoint->Get("c", {1}), IsOk());
  EXPECT_THAT(checkpoint->Get("d", {1}), StatusIs(kBad, HasSubstr("missing")));
}

TEST(Checkpoint, NamesEqualAfterStrippingAreRefused) {
  const TempFolder folder;
  EXPECT_THAT(
      OpenSingle(folder, {{"a", FloatTensor({1}, {1})}, {"dinov2.a", FloatTensor({1}, {2})}}),
      StatusIs(kBad, HasSubstr("'a' appears twice")));
}

TEST(Checkpoint, DigestIsSha256OfTheFile) {
  const TempFolder folder;
  folder.Write("config.json", kConfig);
  // sha256sum of these ten bytes, written down from the command.
  folder.Write("model.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_EQ(checkpoint->digest(),
            "411a485216e432ece6b9af94fa32154cf79a2a56d4f81266baa50063f45092bd");
}

TEST(Checkpoint, ShardsAreReadAsOneModel) {
  const TempFolder folder;
  folder.Write("config.json", kConfig);
  folder.Write("x-2.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  folder.Write("x-1.safetensors", MakeSafetensors({{"b", {"F32", {1}, std::string(4, '\0')}}}));
  folder.Write("model.safetensors.index.json",
               R"({"weight_map": {"a": "x-2.safetensors", "b": "x-1.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_THAT(checkpoint, IsOk());
  EXPECT_THAT(checkpoint->Get("b", {1}), IsOk());
  // Of the files one after the other, by name.
  EXPECT_EQ(checkpoint->digest(),
            "35391d53d4efd41a1090207023a4ac91f4cfb50bbc069aab9e4b6652350e01dd");
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
              StatusIs(kNotFound, HasSubstr("none/config.json")));
  EXPECT_THAT(Checkpoint::Open(folder.path()), StatusIs(kNotFound, HasSubstr("config.json")));
  folder.Write("config.json", kConfig);
  EXPECT_THAT(Checkpoint::Open(folder.path()),
              StatusIs(kNotFound, HasSubstr("no model.safetensors")));
}

TEST(Checkpoint, MalformedConfigIsNamed) {
  const TempFolder folder;
  folder.Write("config.json", "{}");
  EXPECT_THAT(Checkpoint::Open(folder.path()),
              StatusIs(kBad, AllOf(HasSubstr("config.json: "), HasSubstr("'model_type'"))));
}

}  // namespace
}  // namespace objectdino
