// SPDX-License-Identifier: Apache-2.0
// From the taps of one image to what its attention heads say: the last step that knows Torch.
#ifndef OBJECTDINO_CORE_PIPELINE_READ_HEADS_H_
#define OBJECTDINO_CORE_PIPELINE_READ_HEADS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/head_evidence.h"
#include "core/vit/vision_transformer.h"
#include "core/weights/model_config.h"

namespace objectdino {

// INTERNAL when a value is NaN or infinite.
absl::Status CheckFinite(absl::Span<const float> values);

// `taps` holds every layer of one image, by number. INTERNAL when the backbone produced values that
// are not finite. Run under c10::InferenceMode. Thread-safety: pure function.
absl::StatusOr<HeadEvidence> ReadHeads(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                                       const ModelConfig& model, const GroundOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_READ_HEADS_H_
