// SPDX-License-Identifier: Apache-2.0
// The model that a file's tensors make: ModelTensors' members that read dimensions off them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "core/base/status_macros.h"
#include "core/weights/model_tensors.h"

namespace objectdino {
namespace {

constexpr int kHeadDim = 64;  // of every published backbone
constexpr int kMaxSide = 1 << 14;
constexpr int kMaxBlocks = 256;
// Two roundings to bfloat16 apart, and no more.
constexpr double kPeriodTolerance = 0.01;

absl::Status Missing(NameStyle style, absl::string_view name) {
  return absl::FailedPreconditionError(
      absl::StrCat("tensor ", QuoteName(UsualName(style, name)), " is missing from the model"));
}

absl::Status Odd(const ModelTensors::Entry& entry, absl::string_view expected) {
  return absl::FailedPreconditionError(absl::StrCat("tensor ", QuoteName(entry.file_name), " is ",
                                                    DescribeTensor(*entry.view), ", expected ",
                                                    expected));
}

// M of a table of M * M rows.
std::optional<int> SquareSide(int64_t rows) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(rows))));
  if (rows < 1 || side > kMaxSide || side * side != rows) return std::nullopt;
  return static_cast<int>(side);
}

// The shape of a matrix or a kernel whose sides are all of a sane size.
bool HasShape(const TensorView& view, size_t dimensions) {
  return view.shape.size() == dimensions &&
         std::all_of(view.shape.begin(), view.shape.end(),
                     [](int64_t side) { return side >= 1 && side <= 1 << 20; });
}

ModelFamily FamilyOf(NameStyle style, bool positions, bool layer_scale) {
  if (style == NameStyle::kVit) return ModelFamily::kDino;
  if (style == NameStyle::kDinov2) return ModelFamily::kDinov2;
  if (style == NameStyle::kDinov3 || !positions) return ModelFamily::kDinov3;
  return layer_scale ? ModelFamily::kDinov2 : ModelFamily::kDino;
}

// Of the code that writes these files; a description beside them says it itself.
double EpsilonOf(NameStyle style, ModelFamily family) {
  if (family == ModelFamily::kDinov3) return 1e-5;
  return style == NameStyle::kVit ? 1e-12 : 1e-6;
}

std::string ModelTypeOf(const ModelConfig& config) {
  switch (config.family) {
    case ModelFamily::kDino:
      return "vit";
    case ModelFamily::kDinov2:
      return config.registers > 0 ? "dinov2_with_registers" : "dinov2";
    case ModelFamily::kDinov3:
      return "dinov3_vit";
  }
  OBJECTDINO_CHECK(false);
}

std::vector<float> ReadFloats(const TensorView& view) {
  std::vector<float> values;
  for (int64_t i = 0; i < view.element_count(); ++i) {
    const uint8_t* from = view.bytes.data() + i * DataTypeSize(view.type);
    uint32_t bits = 0;
    if (view.type == DataType::kF32) {
      std::memcpy(&bits, from, 4);
    } else {  // the upper half of an F32
      bits = static_cast<uint32_t>(from[1]) << 24 | static_cast<uint32_t>(from[0]) << 16;
    }
    float value = 0;
    std::memcpy(&value, &bits, 4);
    values.push_back(value);
  }
  return values;
}

}  // namespace

absl::StatusOr<ModelConfig> ModelTensors::Detect(NameStyle style) const {
  ModelConfig config;
  const Entry* patches = Find(style, "patch_embed.proj.weight");
  if (patches == nullptr) return Missing(style, "patch_embed.proj.weight");
  if (!HasShape(*patches->view, 4) || patches->view->shape[1] != 3 ||
      patches->view->shape[2] != patches->view->shape[3] || patches->view->shape[3] > 256) {
    return Odd(*patches, "[width, 3, patch, patch]");
  }
  config.width = static_cast<int>(patches->view->shape[0]);
  config.patch_size = static_cast<int>(patches->view->shape[3]);
  if (config.width % kHeadDim != 0 || config.width > 1 << 14) {
    return Odd(*patches,
               "a width that is a multiple of 64, the width of a head; a config.json may say more");
  }
  config.heads = config.width / kHeadDim;
  config.layers = Blocks();
  if (config.layers > kMaxBlocks) {
    return absl::FailedPreconditionError(
        absl::StrCat("the file counts ", config.layers, " blocks"));
  }

  const Entry* positions = Find(style, "pos_embed");
  config.layer_scale = Find(style, "blocks.0.ls1.gamma") != nullptr;
  config.family = FamilyOf(style, positions != nullptr, config.layer_scale);
  if (config.family != ModelFamily::kDino && !config.layer_scale) {
    return Missing(style, "blocks.0.ls1.gamma");
  }
  if (const Entry* registers = Find(style, "register_tokens")) {
    if (!HasShape(*registers->view, 3) || registers->view->shape[1] > 256) {
      // transformers writes an empty tensor for none.
      if (registers->view->element_count() != 0) return Odd(*registers, "[1, registers, width]");
    } else {
      config.registers = static_cast<int>(registers->view->shape[1]);
    }
  }
  if (config.family != ModelFamily::kDinov3) {
    if (positions == nullptr) return Missing(style, "pos_embed");
    if (!HasShape(*positions->view, 3)) return Odd(*positions, "[1, 1 + side^2, width]");
    const int64_t rows = positions->view->shape[1];
    std::optional<int> side = SquareSide(rows - 1);
    if (!side && style == NameStyle::kTimm) side = SquareSide(rows);
    if (!side) return Odd(*positions, "[1, 1 + side^2, width]");
    config.position_grid = *side;
    config.train_size = *side * config.patch_size;
  }
  const Entry* out = Find(style, "blocks.0.mlp.fc2.weight");
  if (out == nullptr) out = Find(style, "blocks.0.mlp.w3.weight");
  if (out == nullptr) return Missing(style, "blocks.0.mlp.fc2.weight");
  if (!HasShape(*out->view, 2)) return Odd(*out, "[width, hidden]");
  config.hidden_width = static_cast<int>(out->view->shape[1]);
  const Entry* both = Find(style, "blocks.0.mlp.w12.weight");
  config.swiglu = Find(style, "blocks.0.mlp.w1.weight") != nullptr ||
                  (both != nullptr && HasShape(*both->view, 2) &&
                   both->view->shape[0] == 2 * int64_t{config.hidden_width});
  config.layer_norm_eps = EpsilonOf(style, config.family);
  config.model_type = ModelTypeOf(config);
  return config;
}

absl::Status ModelTensors::CheckAgainst(NameStyle style, const ModelConfig& config) const {
  const auto disagree = [](absl::string_view key, absl::string_view value, const Entry& entry) {
    return absl::FailedPreconditionError(
        absl::StrCat("config key '", key, "' says ", value, ", but the files hold tensor ",
                     QuoteName(entry.file_name), " ", DescribeTensor(*entry.view)));
  };
  for (const auto& [name, entry] : entries_) {
    if (BlockIndex(name) >= config.layers) {
      return disagree("num_hidden_layers", absl::StrCat(config.layers), entry);
    }
  }
  const bool fits = !IsHuggingFace(style) || FamilyOf(style, true, true) == config.family;
  if (!fits) return disagree("model_type", QuoteName(config.model_type), entries_.begin()->second);
  const Entry* registers = Find(style, "register_tokens");
  if (registers != nullptr && config.registers == 0 && registers->view->element_count() > 0) {
    return disagree("num_register_tokens", "0", *registers);
  }
  const Entry* scale = Find(style, "blocks.0.ls1.gamma");
  if (scale != nullptr && !config.layer_scale) {
    return disagree("model_type", QuoteName(config.model_type), *scale);
  }
  const Entry* gate = Find(style, "blocks.0.mlp.w1.weight");
  if (gate != nullptr && !config.swiglu) return disagree("use_gated_mlp", "false", *gate);
  return absl::OkStatus();
}

bool ModelTensors::HasOwnPeriods(NameStyle style, const ModelConfig& config) const {
  const Entry* entry = Find(style, "rope_periods");
  const int count = config.head_dim() / 4;
  if (entry == nullptr || entry->view->shape != std::vector<int64_t>{count} ||
      !entry->view->strides.empty() ||
      (entry->view->type != DataType::kF32 && entry->view->type != DataType::kBf16)) {
    return false;
  }
  const std::vector<float> periods = ReadFloats(*entry->view);
  for (int t = 0; t < count; ++t) {
    const double expected = std::pow(config.rope_theta, static_cast<double>(t) / count);
    // Also false for what is no number.
    if (!(std::abs(periods[t] - expected) <= kPeriodTolerance * expected)) return true;
  }
  return false;
}

std::string LayoutName(NameStyle style) {
  if (IsHuggingFace(style)) return "huggingface";
  return style == NameStyle::kTimm ? "timm" : "original";
}

PositionRule PositionRuleOf(NameStyle style, const ModelConfig& config) {
  if (config.family == ModelFamily::kDinov3) return PositionRule::kRope;
  // Antialiasing came with the registers; the kind of model decides, not their number.
  if (style == NameStyle::kTimm || config.registers > 0 ||
      config.model_type == "dinov2_with_registers") {
    return PositionRule::kLearnedSizeAntialias;
  }
  return style == NameStyle::kOriginal ? PositionRule::kLearnedOffset : PositionRule::kLearnedSize;
}

}  // namespace objectdino
