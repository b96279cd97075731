// SPDX-License-Identifier: Apache-2.0
// Builds the parts of a backbone from a checkpoint, by the names that checkpoint.h gives to the
// tensors of every family. What a family is made of is in the checkpoint's config.
#ifndef OBJECTDINO_CORE_VIT_LOAD_PARTS_H_
#define OBJECTDINO_CORE_VIT_LOAD_PARTS_H_

#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "c10/core/Device.h"

#include "core/vit/block.h"
#include "core/vit/layer_norm.h"
#include "core/vit/learned_position.h"
#include "core/vit/patch_embed.h"
#include "core/vit/rotary_position.h"
#include "core/weights/checkpoint.h"

namespace objectdino {

struct EmbeddingTokens {
  at::Tensor cls;        // [1, 1, D]
  at::Tensor registers;  // [1, R, D]; undefined when R = 0
};

// One of the two.
struct Position {
  std::unique_ptr<LearnedPosition> learned;  // added to the CLS token and the patches
  std::unique_ptr<RotaryPosition> rotary;    // turns queries and keys in every layer
};

// Each is FAILED_PRECONDITION naming the tensor that is missing or of the wrong shape.
absl::StatusOr<PatchEmbed> LoadPatchEmbed(const Checkpoint& checkpoint, at::Device device);
absl::StatusOr<EmbeddingTokens> LoadEmbeddingTokens(const Checkpoint& checkpoint,
                                                    at::Device device);
absl::StatusOr<Position> LoadPosition(const Checkpoint& checkpoint, at::Device device);
// Layer scale, where there is one, goes into the output projection and the last feed-forward layer.
absl::StatusOr<Block> LoadBlock(const Checkpoint& checkpoint, int layer, at::Device device);
absl::StatusOr<LayerNorm> LoadFinalNorm(const Checkpoint& checkpoint, at::Device device);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_LOAD_PARTS_H_
