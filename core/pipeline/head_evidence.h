// SPDX-License-Identifier: Apache-2.0
// What the attention heads of all layers say of one image: the last step that knows Torch.
#ifndef OBJECTDINO_CORE_PIPELINE_HEAD_EVIDENCE_H_
#define OBJECTDINO_CORE_PIPELINE_HEAD_EVIDENCE_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/head_ref.h"
#include "core/base/patch_grid.h"
#include "core/pipeline/ground_options.h"
#include "core/vit/vision_transformer.h"
#include "core/weights/model_config.h"

namespace objectdino {

struct HeadEvidence {
  std::vector<HeadRef> heads;        // the object-centric ones, ascending
  std::vector<int> clusters;         // [L * H], see StableLabels; all -1 with preset heads
  std::vector<float> maps;           // [L, H, 3, N], see SelfSimilarityMaps; only on request
  std::vector<float> objectness;     // [N] in [0, 1]: anchored, or published for OBJECT_DINO_PAPER
  std::vector<float> cls_attention;  // [N], sums to 1
  std::vector<float> affinity;       // [N, N], empty unless the method cuts
};

// INTERNAL when a value is NaN or infinite.
absl::Status CheckFinite(absl::Span<const float> values);

// `taps` holds every layer of one image, by number. Exact descriptors for OBJECT_DINO_PAPER always;
// linear ones for the others, none with preset heads. INTERNAL when the backbone produced values
// that are not finite. Run under c10::InferenceMode. Thread-safety: pure function.
absl::StatusOr<HeadEvidence> ReadHeads(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                                       const ModelConfig& model, const GroundOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_HEAD_EVIDENCE_H_
