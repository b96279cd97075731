// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/prepare.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "core/pipeline/guard.h"
#include "core/pipeline/model_defaults.h"
#include "core/pipeline/stopwatch.h"

namespace objectdino {
namespace {

constexpr float kUniformContrast = 2.0f / 255;  // below this an image is one flat colour

absl::Status CheckImage(const Image& image) {
  if (image.height < 1 || image.width < 1 ||
      image.rgb.size() !=
          static_cast<size_t>(image.height) * static_cast<size_t>(image.width) * 3) {
    return absl::InvalidArgumentError("image is empty or its size does not fit its pixels");
  }
  return absl::OkStatus();
}

// The image cannot show an object: says why.
bool IsBlank(const PreprocessedImage& input, const Image& image, int patch_size,
             std::vector<Warning>& warnings) {
  if (std::min(image.height, image.width) < patch_size) {
    warnings.push_back(
        {WarningCode::kImageTooSmall,
         absl::StrCat("the image is ", image.height, " x ", image.width,
                      " pixels (height x width), less than a patch of ", patch_size)});
  }
  if (input.contrast >= kUniformContrast) return false;
  warnings.push_back({WarningCode::kNoClearObject, "the image is one flat colour"});
  return true;
}

}  // namespace

absl::StatusOr<PreparedImage> PrepareImage(const Image& image, const GroundOptions& options,
                                           const ModelConfig& model) {
  OBJECTDINO_RETURN_IF_ERROR(CheckImage(image));
  OBJECTDINO_RETURN_IF_ERROR(options.Validate(model));
  return Guard<absl::StatusOr<PreparedImage>>([&] {
    Stopwatch watch;
    PreparedImage prepared;
    prepared.options = options;
    prepared.size = image.size();
    if (model.random_weights) {
      prepared.warnings.push_back({WarningCode::kRandomWeights, "the model's weights are random"});
    }
    if (std::string unmeasured = UnmeasuredDefaults(options, model); !unmeasured.empty()) {
      prepared.warnings.push_back({WarningCode::kUnmeasuredDefaults, std::move(unmeasured)});
    }
    prepared.input = Preprocess(image, options.resize_mode, options.input_size, model.patch_size);
    prepared.blank = IsBlank(prepared.input, image, model.patch_size, prepared.warnings);
    prepared.preprocess_ms = watch.Lap();
    return prepared;
  });
}

}  // namespace objectdino
