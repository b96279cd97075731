// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/ground_options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

template <typename T>
absl::Status CheckRange(absl::string_view field, T value, T low, T high) {
  if (value >= low && value <= high) return absl::OkStatus();  // false for NaN
  return absl::InvalidArgumentError(
      absl::StrCat(field, " must be in [", low, ", ", high, "], got ", value));
}

}  // namespace

absl::Status GroundOptions::Validate(const ModelConfig& model) const {
  const int max_clusters = std::min(64, model.layers * model.heads);
  OBJECTDINO_RETURN_IF_ERROR(CheckRange("clusters", clusters, 2, max_clusters));
  OBJECTDINO_RETURN_IF_ERROR(
      CheckRange("input_size", input_size, model.patch_size,
                 method == Method::kObjectDino ? kMaxInputSize : kMaxCutInputSize));
  OBJECTDINO_RETURN_IF_ERROR(CheckRange("max_objects", max_objects, 1, 100));
  OBJECTDINO_RETURN_IF_ERROR(CheckRange("min_score", min_score, 0.0, 1.0));
  OBJECTDINO_RETURN_IF_ERROR(
      CheckRange("min_patches", min_patches, 0, kMaxInputSize * kMaxInputSize));
  if (seed_rule && method != Method::kObjectDinoCut) {
    return absl::InvalidArgumentError("seed_rule has an effect on method OBJECT_DINO_CUT only");
  }
  if (tau != kTauOfMethod) {
    OBJECTDINO_RETURN_IF_ERROR(CheckRange("affinity_threshold", tau, -1.0, 1.0));
    if (method == Method::kObjectDino) {
      return absl::InvalidArgumentError(
          "affinity_threshold has no effect on method OBJECT_DINO: use OBJECT_DINO_CUT or "
          "OBJECT_DINO_PAPER");
    }
  }
  return absl::OkStatus();
}

}  // namespace objectdino
