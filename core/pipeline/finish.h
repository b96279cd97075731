// SPDX-License-Identifier: Apache-2.0
// The last stage of grounding: from what the network says of an image to its objects. Torch-free.
#ifndef OBJECTDINO_CORE_PIPELINE_FINISH_H_
#define OBJECTDINO_CORE_PIPELINE_FINISH_H_

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

#include "core/image/image.h"
#include "core/pipeline/grounding.h"
#include "core/pipeline/stages.h"
#include "core/weights/model_config.h"

namespace objectdino {

// `image` holds the pixels that `prepared` was made of; it is looked at with options.pixel_masks
// only. CANCELLED and OUT_OF_RANGE are AddPixelMasks'; RESOURCE_EXHAUSTED when memory runs out,
// INTERNAL for any other fault. Thread-safety: pure function. Cost: that of DiscoverObjects,
// ObjectsOfRegions and AddPixelMasks.
absl::StatusOr<Grounding> FinishImage(PreparedImage prepared, InferredImage inferred,
                                      const Image& image, const ModelConfig& model,
                                      absl::FunctionRef<bool()> stop);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_FINISH_H_
