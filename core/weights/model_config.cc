// SPDX-License-Identifier: Apache-2.0
#include "core/weights/model_config.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr absl::string_view kModelTypes[] = {"vit", "dinov2", "dinov2_with_registers",
                                             "dinov3_vit"};

// Far above every published backbone; keeps sizes computed from them inside an int.
constexpr int kMaxLayers = 256;
constexpr int kMaxHeads = 256;
constexpr int kMaxWidth = 16384;
constexpr int kMaxPatchSize = 256;
constexpr int kMaxImageSize = 16384;
constexpr int kMaxRegisters = 256;
constexpr double kMaxMlpRatio = 32;
constexpr double kMaxEpsilon = 0.1;
constexpr double kMaxRopeTheta = 1e9;

absl::Status Bad(absl::string_view key, absl::string_view reason) {
  return absl::FailedPreconditionError(absl::StrCat("config key '", key, "' ", reason));
}

// Typed reads of one JSON object; the first failure sticks in `status`.
class ConfigReader {
 public:
  explicit ConfigReader(const nlohmann::json& object) : object_(object) {}

  int Int(const char* key, int max) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return Fail(key, "is missing"), 0;
    return CheckedInt(key, *value, 1, max);
  }
  int IntOr(const char* key, int fallback, int max) {
    const nlohmann::json* value = Find(key);
    return value == nullptr ? fallback : CheckedInt(key, *value, 0, max);
  }
  // In (0, max].
  double Number(const char* key, double max) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return Fail(key, "is missing"), 0;
    if (!value->is_number()) return Fail(key, "is not a number"), 0;
    const auto number = value->get<double>();
    if (number > 0 && number <= max) return number;
    return Fail(key, absl::StrCat("is ", number, ", must be above 0 and at most ", max)), 0;
  }
  double NumberOr(const char* key, double fallback, double max) {
    return Find(key) == nullptr ? fallback : Number(key, max);
  }
  bool BoolOr(const char* key, bool fallback) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) return Fail(key, "is not true or false"), fallback;
    return value->get<bool>();
  }
  std::string StringOr(const char* key, const char* fallback) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return fallback;
    if (!value->is_string()) return Fail(key, "is not a string"), fallback;
    return value->get<std::string>();
  }
  void Fail(absl::string_view key, absl::string_view reason) { status_.Update(Bad(key, reason)); }

  const absl::Status& status() const { return status_; }

 private:
  const nlohmann::json* Find(const char* key) const {
    const auto position = object_.find(key);
    return position == object_.end() || position->is_null() ? nullptr : &*position;
  }
  int CheckedInt(const char* key, const nlohmann::json& value, int min, int max) {
    if (!value.is_number_integer()) return Fail(key, "is not an integer"), 0;
    // Unsigned values beyond int64 would wrap to negative ones, which are out of range as well.
    const auto number = value.get<int64_t>();
    if (number >= min && number <= max) return static_cast<int>(number);
    return Fail(key, absl::StrCat("is out of range, must be ", min, " to ", max)), 0;
  }

  const nlohmann::json& object_;
  absl::Status status_;
};

// Hidden units of the feed-forward network. The gated variant keeps the parameter count of a plain
// one: two thirds, rounded up to a multiple of eight.
int HiddenWidth(int width, double mlp_ratio, bool swiglu) {
  const int hidden = static_cast<int>(width * mlp_ratio);
  if (!swiglu) return hidden;
  return (hidden * 2 / 3 + 7) / 8 * 8;
}

// The keys of each model_type, beside those that all of them have.
void ReadDino(ConfigReader& reader, ModelConfig& config) {
  config.family = ModelFamily::kDino;
  config.layer_scale = false;
  config.hidden_width = reader.Int("intermediate_size", kMaxWidth);
  if (!reader.BoolOr("qkv_bias", true)) reader.Fail("qkv_bias", "must be true");
}

void ReadDinov2(ConfigReader& reader, ModelConfig& config) {
  config.family = ModelFamily::kDinov2;
  const double mlp_ratio = reader.Number("mlp_ratio", kMaxMlpRatio);
  config.swiglu = reader.BoolOr("use_swiglu_ffn", false);
  config.hidden_width = HiddenWidth(config.width, mlp_ratio, config.swiglu);
  if (config.hidden_width < 1) reader.Fail("mlp_ratio", "leaves no hidden units");
  // 4 is what the format means when a file leaves the key out.
  if (config.model_type == "dinov2_with_registers") {
    config.registers = reader.IntOr("num_register_tokens", 4, kMaxRegisters);
  }
  if (!reader.BoolOr("qkv_bias", true)) reader.Fail("qkv_bias", "must be true");
}

void ReadDinov3(ConfigReader& reader, ModelConfig& config) {
  config.family = ModelFamily::kDinov3;
  config.hidden_width = reader.Int("intermediate_size", kMaxWidth);
  config.swiglu = reader.BoolOr("use_gated_mlp", false);
  config.registers = reader.IntOr("num_register_tokens", 0, kMaxRegisters);
  config.rope_theta = reader.NumberOr("rope_theta", 100, kMaxRopeTheta);
  if (config.heads > 0 && config.width / config.heads % 4 != 0) {
    reader.Fail("num_attention_heads", "leaves a head that cannot be rotated in quarters");
  }
}

absl::StatusOr<nlohmann::json> ParseObject(absl::string_view json) {
  if (json.size() > kMaxConfigBytes) return absl::FailedPreconditionError("config is too large");
  auto document = nlohmann::json::parse(json.begin(), json.end(), /*cb=*/nullptr,
                                        /*allow_exceptions=*/false);
  if (!document.is_object()) return absl::FailedPreconditionError("config is not a JSON object");
  return document;
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json) {
  OBJECTDINO_ASSIGN_OR_RETURN(const nlohmann::json document, ParseObject(json));
  ConfigReader reader(document);
  ModelConfig config;
  config.model_type = reader.StringOr("model_type", "");
  if (std::find(std::begin(kModelTypes), std::end(kModelTypes), config.model_type) ==
      std::end(kModelTypes)) {
    reader.Fail("model_type", absl::StrCat("must be one of ", absl::StrJoin(kModelTypes, ", ")));
  }
  config.layers = reader.Int("num_hidden_layers", kMaxLayers);
  config.heads = reader.Int("num_attention_heads", kMaxHeads);
  config.width = reader.Int("hidden_size", kMaxWidth);
  config.patch_size = reader.Int("patch_size", kMaxPatchSize);
  config.train_size = reader.Int("image_size", kMaxImageSize);
  config.layer_norm_eps = reader.Number("layer_norm_eps", kMaxEpsilon);
  config.random_weights = reader.BoolOr("objectdino_random_weights", false);
  if (config.model_type == "vit") {
    ReadDino(reader, config);
  } else if (config.model_type != "dinov3_vit") {
    ReadDinov2(reader, config);
  } else {
    ReadDinov3(reader, config);
  }
  const std::string activation =
      config.swiglu && config.family == ModelFamily::kDinov3 ? "silu" : "gelu";
  if (reader.StringOr("hidden_act", activation.c_str()) != activation) {
    reader.Fail("hidden_act", absl::StrCat("must be '", activation, "'"));
  }
  if (reader.IntOr("num_channels", 3, 3) != 3) reader.Fail("num_channels", "must be 3");
  OBJECTDINO_RETURN_IF_ERROR(reader.status());

  if (config.width % config.heads != 0) {
    return Bad("num_attention_heads", "does not divide hidden_size");
  }
  if (config.patch_size > config.train_size) return Bad("image_size", "is smaller than a patch");
  if (config.family == ModelFamily::kDinov3) {
    config.position = PositionRule::kRope;
  } else {
    config.position_grid = config.train_size / config.patch_size;
    if (config.model_type == "dinov2_with_registers") {
      config.position = PositionRule::kLearnedSizeAntialias;
    }
  }
  return config;
}

absl::StatusOr<std::optional<TimmConfig>> ParseTimmConfig(absl::string_view json) {
  OBJECTDINO_ASSIGN_OR_RETURN(const nlohmann::json document, ParseObject(json));
  if (document.contains("model_type") || !document.contains("architecture")) return std::nullopt;
  ConfigReader reader(document);
  TimmConfig config;
  config.architecture = reader.StringOr("architecture", "");
  config.width = reader.IntOr("num_features", 0, kMaxWidth);
  config.random_weights = reader.BoolOr("objectdino_random_weights", false);
  OBJECTDINO_RETURN_IF_ERROR(reader.status());
  return config;
}

}  // namespace objectdino
