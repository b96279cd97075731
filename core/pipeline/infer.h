// SPDX-License-Identifier: Apache-2.0
// The middle stage of grounding, for a batch of images: the only one that knows Torch.
#ifndef OBJECTDINO_CORE_PIPELINE_INFER_H_
#define OBJECTDINO_CORE_PIPELINE_INFER_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/pipeline/stages.h"
#include "core/vit/vision_transformer.h"

namespace objectdino {

// See Grounder::Infer.
std::vector<absl::StatusOr<InferredImage>> InferBatch(const VisionTransformer& backbone,
                                                      absl::Span<const PreparedImage* const> batch,
                                                      absl::FunctionRef<bool()> stop);

// Milliseconds of one bare forward pass on `prepared`, nothing tapped.
absl::StatusOr<double> TimeForward(const VisionTransformer& backbone,
                                   const PreparedImage& prepared);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_INFER_H_
