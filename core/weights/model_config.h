// SPDX-License-Identifier: Apache-2.0
// The dimensions of a backbone, read from a Hugging Face config.json (backbones.md 3.1).
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_WEIGHTS_MODEL_CONFIG_H_
#define OBJECTDINO_CORE_WEIGHTS_MODEL_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

enum class ModelFamily { kDinov2 };  // with and without registers

// L layers, H heads, D width, d = D / H head dimension, T tokens = prefix tokens + N patches.
struct ModelConfig {
  ModelFamily family = ModelFamily::kDinov2;
  std::string model_type;  // as in the file: "dinov2", "dinov2_with_registers"
  int layers = 0;          // L
  int heads = 0;           // H
  int width = 0;           // D
  int hidden_width = 0;    // of the feed-forward network
  int patch_size = 0;
  int registers = 0;      // register tokens after CLS
  int position_grid = 0;  // side of the learned position table, image_size / patch_size
  double layer_norm_eps = 1e-6;
  bool swiglu = false;
  bool random_weights =
      false;  // key objectdino_random_weights: a test model, answers carry RANDOM_WEIGHTS

  int head_dim() const { return width / heads; }
  int prefix_tokens() const { return 1 + registers; }
};

// FAILED_PRECONDITION naming the key: missing, of the wrong type, out of range, or an unsupported
// model_type.
absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_MODEL_CONFIG_H_
