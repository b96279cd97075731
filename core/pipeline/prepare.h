// SPDX-License-Identifier: Apache-2.0
// The first stage of grounding: from pixels to the network's input. Torch-free.
#ifndef OBJECTDINO_CORE_PIPELINE_PREPARE_H_
#define OBJECTDINO_CORE_PIPELINE_PREPARE_H_

#include "absl/status/statusor.h"

#include "core/image/image.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/stages.h"
#include "core/weights/model_config.h"

namespace objectdino {

// All but PreparedImage::image. INVALID_ARGUMENT for an option out of range or an empty image;
// RESOURCE_EXHAUSTED when memory runs out. Thread-safety: pure function. Cost: that of Preprocess.
absl::StatusOr<PreparedImage> PrepareImage(const Image& image, const GroundOptions& options,
                                           const ModelConfig& model);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_PREPARE_H_
