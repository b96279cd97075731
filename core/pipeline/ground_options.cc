// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/ground_options.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr double kMaxTemperature = 100;

template <typename T>
absl::Status CheckRange(absl::string_view field, T value, T low, T high) {
  if (value >= low && value <= high) return absl::OkStatus();  // false for NaN
  return absl::InvalidArgumentError(
      absl::StrCat(field, " must be in [", low, ", ", high, "], got ", value));
}

bool CutsGraph(Method method) {
  return method == Method::kObjectDinoCut || method == Method::kObjectDinoPaper ||
         method == Method::kTokenCut;
}

// Some step takes time and memory of the order of N^2.
bool IsQuadratic(const GroundOptions& options) {
  return CutsGraph(options.method) || options.method == Method::kLost ||
         options.HasExactDescriptors();
}

}  // namespace

absl::string_view MethodName(Method method) {
  switch (method) {
    case Method::kObjectDino:
      return "OBJECT_DINO";
    case Method::kObjectDinoCut:
      return "OBJECT_DINO_CUT";
    case Method::kObjectDinoPaper:
      return "OBJECT_DINO_PAPER";
    case Method::kTokenCut:
      return "TOKENCUT";
    case Method::kLost:
      return "LOST";
    case Method::kClsAttention:
      return "CLS_ATTENTION";
  }
  return "";
}

bool GroundOptions::SelectsHeads() const {
  return method == Method::kObjectDino || method == Method::kObjectDinoCut ||
         method == Method::kObjectDinoPaper;
}

bool GroundOptions::HasExactDescriptors() const {
  return method == Method::kObjectDinoPaper || (SelectsHeads() && temperature.has_value());
}

absl::Status GroundOptions::CheckEffect(absl::string_view option) const {
  const auto no_effect = [&option](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(option, " has no effect on ", what));
  };
  const bool effective = option == "affinity_threshold" ? CutsGraph(method)
                         : option == "seed_rule"        ? method == Method::kObjectDinoCut
                         : option == "mirror"
                             ? method == Method::kObjectDino || method == Method::kClsAttention
                             : SelectsHeads();
  if (!effective) return no_effect(absl::StrCat("method ", MethodName(method)));
  // Without clusters there is no use for descriptors, except that the published map is one.
  const bool of_clusters = option == "clusters" || option == "seed" ||
                           (option == "temperature" && method != Method::kObjectDinoPaper);
  if (of_clusters && head_selection == HeadSelection::kPreset) {
    return no_effect("head_selection PRESET");
  }
  return absl::OkStatus();
}

absl::Status GroundOptions::Validate(const ModelConfig& model) const {
  const GroundOptions defaults;
  const std::pair<absl::string_view, bool> changed[] = {
      {"head_selection", head_selection != defaults.head_selection},
      {"clusters", clusters != defaults.clusters},
      {"seed", seed != defaults.seed},
      {"components", components != defaults.components},
      {"layer_scope", layer_scope != defaults.layer_scope},
      {"mirror", mirror != defaults.mirror},
      {"embedding_source", embedding_source != defaults.embedding_source},
      {"temperature", temperature != defaults.temperature},
      {"affinity_threshold", tau != defaults.tau},
      {"seed_rule", seed_rule != defaults.seed_rule}};
  for (const auto& [option, is_changed] : changed) {
    if (is_changed) OBJECTDINO_RETURN_IF_ERROR(CheckEffect(option));
  }
  if (SelectsHeads() && head_selection == HeadSelection::kClustered) {
    const int max_clusters = std::min(64, model.layers * model.heads);
    OBJECTDINO_RETURN_IF_ERROR(CheckRange("clusters", clusters, 2, max_clusters));
  }
  if (components.none()) {
    return absl::InvalidArgumentError("components must name at least one of query, key and value");
  }
  if (temperature && !(*temperature > 0 && *temperature <= kMaxTemperature)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature must be in (0, ", kMaxTemperature, "], got ", *temperature));
  }
  const int max_input_size = IsQuadratic(*this)
                                 ? std::min(kMaxQuadraticSide * model.patch_size, kMaxInputSize)
                                 : kMaxInputSize;
  OBJECTDINO_RETURN_IF_ERROR(
      CheckRange("input_size", input_size, model.patch_size, max_input_size));
  OBJECTDINO_RETURN_IF_ERROR(CheckRange("max_objects", max_objects, 1, 100));
  OBJECTDINO_RETURN_IF_ERROR(CheckRange("min_score", min_score, 0.0, 1.0));
  OBJECTDINO_RETURN_IF_ERROR(
      CheckRange("min_patches", min_patches, 0, kMaxInputSize * kMaxInputSize));
  if (tau != kTauOfMethod) {
    OBJECTDINO_RETURN_IF_ERROR(CheckRange("affinity_threshold", tau, -1.0, 1.0));
  }
  return absl::OkStatus();
}

}  // namespace objectdino
