// SPDX-License-Identifier: Apache-2.0
// Builds the parts of a DINOv2 backbone from a checkpoint in Hugging Face's naming
// (backbones.md 3.2).
#ifndef OBJECTDINO_CORE_VIT_DINOV2_WEIGHTS_H_
#define OBJECTDINO_CORE_VIT_DINOV2_WEIGHTS_H_

#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "c10/core/Device.h"

#include "core/vit/block.h"
#include "core/vit/layer_norm.h"
#include "core/vit/learned_position.h"
#include "core/vit/patch_embed.h"
#include "core/weights/checkpoint.h"

namespace objectdino {

struct EmbeddingTokens {
  at::Tensor cls;        // [1, 1, D]
  at::Tensor registers;  // [1, R, D]; undefined when R = 0
};

// Each is FAILED_PRECONDITION naming the tensor that is missing or of the wrong shape.
absl::StatusOr<PatchEmbed> LoadPatchEmbed(const Checkpoint& checkpoint, at::Device device);
absl::StatusOr<EmbeddingTokens> LoadEmbeddingTokens(const Checkpoint& checkpoint,
                                                    at::Device device);
absl::StatusOr<std::unique_ptr<LearnedPosition>> LoadPosition(const Checkpoint& checkpoint,
                                                              at::Device device);
// Layer scale goes into the output projection and the last feed-forward layer.
absl::StatusOr<Block> LoadBlock(const Checkpoint& checkpoint, int layer, at::Device device);
absl::StatusOr<LayerNorm> LoadFinalNorm(const Checkpoint& checkpoint, at::Device device);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_DINOV2_WEIGHTS_H_
