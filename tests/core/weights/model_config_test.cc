// SPDX-License-Identifier: Apache-2.0
#include "core/weights/model_config.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kBad = absl::StatusCode::kFailedPrecondition;

nlohmann::json SmallConfig() {
  return {{"model_type", "dinov2"},   {"hidden_size", 384},    {"num_hidden_layers", 12},
          {"num_attention_heads", 6}, {"mlp_ratio", 4},        {"image_size", 518},
          {"patch_size", 14},         {"layer_norm_eps", 1e-6}};
}

TEST(ModelConfig, SmallModelIsRead) {
  const auto config = ParseModelConfig(SmallConfig().dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->model_type, "dinov2");
  EXPECT_EQ(config->layers, 12);
  EXPECT_EQ(config->heads, 6);
  EXPECT_EQ(config->width, 384);
  EXPECT_EQ(config->hidden_width, 1536);
  EXPECT_EQ(config->patch_size, 14);
  EXPECT_EQ(config->position_grid, 37);
  EXPECT_EQ(config->head_dim(), 64);
  EXPECT_EQ(config->prefix_tokens(), 1);
  EXPECT_DOUBLE_EQ(config->layer_norm_eps, 1e-6);
  EXPECT_FALSE(config->swiglu);
  EXPECT_FALSE(config->random_weights);
}

TEST(ModelConfig, GiantModelHasGatedFeedForward) {
  nlohmann::json json = SmallConfig();
  json.update({{"hidden_size", 1536}, {"num_attention_heads", 24}, {"use_swiglu_ffn", true}});
  const auto config = ParseModelConfig(json.dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_TRUE(config->swiglu);
  EXPECT_EQ(config->hidden_width, 4096);
}

TEST(ModelConfig, RegistersAreReadAndDefaultToFour) {
  nlohmann::json json = SmallConfig();
  json["model_type"] = "dinov2_with_registers";
  auto config = ParseModelConfig(json.dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->registers, 4);
  json["num_register_tokens"] = 2;
  config = ParseModelConfig(json.dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->prefix_tokens(), 3);
}

TEST(ModelConfig, DinoIsRead) {
  nlohmann::json json = SmallConfig();
  json.update({{"model_type", "vit"}, {"patch_size", 16}, {"image_size", 224}});
  json.update({{"intermediate_size", 1536}, {"layer_norm_eps", 1e-12}});
  json.erase("mlp_ratio");
  const auto config = ParseModelConfig(json.dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->family, ModelFamily::kDino);
  EXPECT_EQ(config->hidden_width, 1536);
  EXPECT_EQ(config->position_grid, 14);
  EXPECT_EQ(config->train_size, 224);
  EXPECT_EQ(config->position, PositionRule::kLearnedSize);
  EXPECT_DOUBLE_EQ(config->layer_norm_eps, 1e-12);
  EXPECT_FALSE(config->layer_scale);
  json.erase("intermediate_size");
  EXPECT_THAT(ParseModelConfig(json.dump()), StatusIs(kBad, HasSubstr("'intermediate_size'")));
}

nlohmann::json Dinov3Config() {
  nlohmann::json json = SmallConfig();
  json.erase("mlp_ratio");
  json.update({{"model_type", "dinov3_vit"}, {"patch_size", 16}, {"image_size", 224}});
  json.update({{"intermediate_size", 1536}, {"num_register_tokens", 4}, {"rope_theta", 100.0}});
  return json;
}

TEST(ModelConfig, Dinov3IsRead) {
  const auto config = ParseModelConfig(Dinov3Config().dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->family, ModelFamily::kDinov3);
  EXPECT_EQ(config->position, PositionRule::kRope);
  EXPECT_EQ(config->position_grid, 0);
  EXPECT_EQ(config->registers, 4);
  EXPECT_EQ(config->hidden_width, 1536);
  EXPECT_TRUE(config->layer_scale);
  EXPECT_FALSE(config->swiglu);
}

TEST(ModelConfig, GatedDinov3HasItsActivation) {
  nlohmann::json json = Dinov3Config();
  json.update({{"use_gated_mlp", true}, {"hidden_act", "silu"}});
  const auto config = ParseModelConfig(json.dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_TRUE(config->swiglu);
  json["hidden_act"] = "gelu";
  EXPECT_THAT(ParseModelConfig(json.dump()), StatusIs(kBad, HasSubstr("must be 'silu'")));
}

TEST(ModelConfig, RotationThatCannotBeIsRefused) {
  nlohmann::json json = Dinov3Config();
  json["rope_theta"] = -1;
  EXPECT_THAT(ParseModelConfig(json.dump()), StatusIs(kBad, HasSubstr("'rope_theta'")));
  json["rope_theta"] = 100;
  json["num_attention_heads"] = 64;  // of 6 numbers each
  EXPECT_THAT(ParseModelConfig(json.dump()), StatusIs(kBad, HasSubstr("'num_attention_heads'")));
}

TEST(ModelConfig, DescriptionOfTimmIsToldApart) {
  const auto timm = ParseTimmConfig(R"({"architecture": "vit_x", "num_features": 384})");
  ASSERT_THAT(timm, IsOk());
  ASSERT_TRUE(timm->has_value());
  EXPECT_EQ((*timm)->architecture, "vit_x");
  EXPECT_EQ((*timm)->width, 384);
  const auto other = ParseTimmConfig(SmallConfig().dump());
  ASSERT_THAT(other, IsOk());
  EXPECT_FALSE(other->has_value());
  EXPECT_THAT(ParseTimmConfig("[]"), StatusIs(kBad, HasSubstr("not a JSON object")));
  EXPECT_THAT(ParseTimmConfig(R"({"architecture": "x", "num_features": "y"})"),
              StatusIs(kBad, HasSubstr("'num_features'")));
}

TEST(ModelConfig, RandomWeightsAreMarked) {
  nlohmann::json json = SmallConfig();
  json["objectdino_random_weights"] = true;
  const auto config = ParseModelConfig(json.dump());
  ASSERT_THAT(config, IsOk());
  EXPECT_TRUE(config->random_weights);
}

TEST(ModelConfig, TextThatIsNoObjectIsRefused) {
  for (const std::string text : {"", "{", "[]", "null", "{} {}", "{\"a\xff\":1}"}) {
    EXPECT_THAT(ParseModelConfig(text), StatusIs(kBad, HasSubstr("not a JSON object"))) << text;
  }
}

TEST(ModelConfig, HugeTextIsRefused) {
  EXPECT_THAT(ParseModelConfig(std::string(2 << 20, ' ')), StatusIs(kBad, HasSubstr("too large")));
}

TEST(ModelConfig, UnsupportedModelTypeIsRefused) {
  nlohmann::json json = SmallConfig();
  json["model_type"] = "bert";
  EXPECT_THAT(ParseModelConfig(json.dump()), StatusIs(kBad, HasSubstr("'model_type'")));
}

class MissingKey : public ::testing::TestWithParam<const char*> {};

TEST_P(MissingKey, IsNamed) {
  nlohmann::json json = SmallConfig();
  json.erase(GetParam());
  EXPECT_THAT(ParseModelConfig(json.dump()),
              StatusIs(kBad, HasSubstr(std::string("'") + GetParam() + "'")));
}

INSTANTIATE_TEST_SUITE_P(ModelConfig, MissingKey,
                         ::testing::Values("model_type", "hidden_size", "num_hidden_layers",
                                           "num_attention_heads", "mlp_ratio", "image_size",
                                           "patch_size", "layer_norm_eps"));

struct BadValue {
  const char* key;
  const char* json;
};

class BadConfigValue : public ::testing::TestWithParam<BadValue> {};

TEST_P(BadConfigValue, IsNamed) {
  nlohmann::json json = SmallConfig();
  json[GetParam().key] = nlohmann::json::parse(GetParam().json);
  EXPECT_THAT(ParseModelConfig(json.dump()),
              StatusIs(kBad, HasSubstr(std::string("'") + GetParam().key + "'")))
      << GetParam().json;
}

INSTANTIATE_TEST_SUITE_P(
    ModelConfig, BadConfigValue,
    ::testing::Values(BadValue{"hidden_size", "0"}, BadValue{"hidden_size", "-384"},
                      BadValue{"hidden_size", "384.0"}, BadValue{"hidden_size", "\"384\""},
                      BadValue{"hidden_size", "99999999"},
                      BadValue{"hidden_size", "18446744073709551615"},
                      BadValue{"num_hidden_layers", "100000"}, BadValue{"num_attention_heads", "5"},
                      BadValue{"mlp_ratio", "0"}, BadValue{"mlp_ratio", "1e9"},
                      BadValue{"mlp_ratio", "true"}, BadValue{"mlp_ratio", "1e-9"},
                      BadValue{"image_size", "13"}, BadValue{"patch_size", "[14, 14]"},
                      BadValue{"layer_norm_eps", "-1e-6"}, BadValue{"hidden_act", "\"relu\""},
                      BadValue{"qkv_bias", "false"}, BadValue{"num_channels", "1"},
                      BadValue{"use_swiglu_ffn", "1"}, BadValue{"model_type", "3"}));

}  // namespace
}  // namespace objectdino
