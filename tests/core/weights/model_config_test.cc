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
