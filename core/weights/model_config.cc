// SPDX-License-Identifier: Apache-2.0
#include "core/weights/model_config.h"

#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

// Far above every published backbone; keeps sizes computed from them inside an int.
constexpr int kMaxLayers = 256;
constexpr int kMaxHeads = 256;
constexpr int kMaxWidth = 16384;
constexpr int kMaxPatchSize = 256;
constexpr int kMaxImageSize = 16384;
constexpr int kMaxRegisters = 256;
constexpr double kMaxMlpRatio = 32;
constexpr double kMaxEpsilon = 0.1;

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
    if (!(number > 0) || number > max) {
      Fail(key, absl::StrCat("is ", number, ", must be above 0 and at most ", max));
    }
    return number;
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

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json) {
  if (json.size() > kMaxConfigBytes) return absl::FailedPreconditionError("config is too large");
  const auto document = nlohmann::json::parse(json.begin(), json.end(), /*cb=*/nullptr,
                                              /*allow_exceptions=*/false);
  if (!document.is_object()) return absl::FailedPreconditionError("config is not a JSON object");

  ConfigReader reader(document);
  ModelConfig config;
  config.model_type = reader.StringOr("model_type", "");
  const bool with_registers = config.model_type == "dinov2_with_registers";
  if (!with_registers && config.model_type != "dinov2") {
    reader.Fail("model_type", "must be 'dinov2' or 'dinov2_with_registers'");
  }
  config.layers = reader.Int("num_hidden_layers", kMaxLayers);
  config.heads = reader.Int("num_attention_heads", kMaxHeads);
  config.width = reader.Int("hidden_size", kMaxWidth);
  config.patch_size = reader.Int("patch_size", kMaxPatchSize);
  const int image_size = reader.Int("image_size", kMaxImageSize);
  config.layer_norm_eps = reader.Number("layer_norm_eps", kMaxEpsilon);
  const double mlp_ratio = reader.Number("mlp_ratio", kMaxMlpRatio);
  config.swiglu = reader.BoolOr("use_swiglu_ffn", false);
  config.random_weights = reader.BoolOr("objectdino_random_weights", false);
  // 4 is what the format means when a file leaves the key out.
  if (with_registers) config.registers = reader.IntOr("num_register_tokens", 4, kMaxRegisters);

  if (reader.StringOr("hidden_act", "gelu") != "gelu") reader.Fail("hidden_act", "must be 'gelu'");
  if (!reader.BoolOr("qkv_bias", true)) reader.Fail("qkv_bias", "must be true");
  if (reader.IntOr("num_channels", 3, 3) != 3) reader.Fail("num_channels", "must be 3");
  OBJECTDINO_RETURN_IF_ERROR(reader.status());

  if (config.width % config.heads != 0) {
    return Bad("num_attention_heads", "does not divide hidden_size");
  }
  if (config.patch_size > image_size) return Bad("image_size", "is smaller than a patch");
  config.position_grid = image_size / config.patch_size;
  config.hidden_width = HiddenWidth(config.width, mlp_ratio, config.swiglu);
  if (config.hidden_width < 1) return Bad("mlp_ratio", "leaves no hidden units");
  return config;
}

}  // namespace objectdino
