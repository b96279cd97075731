// SPDX-License-Identifier: Apache-2.0
// The dimensions of a backbone (backbones.md 3.1), and how they read in a config.json.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_WEIGHTS_MODEL_CONFIG_H_
#define OBJECTDINO_CORE_WEIGHTS_MODEL_CONFIG_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

enum class ModelFamily { kDino, kDinov2, kDinov3 };

// Where the patches learn their places from (backbones.md 3.3).
enum class PositionRule {
  kLearnedOffset,         // a table, bicubic with the originals' offset of 0.1 patches
  kLearnedSize,           // a table, bicubic to exactly the grid
  kLearnedSizeAntialias,  // the same with antialiasing; with registers
  kRope,                  // rotated queries and keys, no table
};

// L layers, H heads, D width, d = D / H head dimension, T tokens = prefix tokens + N patches.
struct ModelConfig {
  ModelFamily family = ModelFamily::kDinov2;
  std::string model_type;  // Hugging Face's: "vit", "dinov2", "dinov2_with_registers", "dinov3_vit"
  int layers = 0;          // L
  int heads = 0;           // H
  int width = 0;           // D
  int hidden_width = 0;    // of the feed-forward network
  int patch_size = 0;
  int registers = 0;      // register tokens after CLS
  int position_grid = 0;  // side of the learned position table, image_size / patch_size
  double layer_norm_eps = 1e-6;
  bool swiglu = false;
  PositionRule position = PositionRule::kLearnedSize;
  bool layer_scale = true;
  double rope_theta = 100;    // base of the periods of kRope
  bool file_periods = false;  // use the periods that the file holds instead of rope_theta's
  int train_size = 0;         // input size of the training, pixels; 0 = unknown
  std::string layout = "huggingface";  // of the files: "huggingface", "timm" or "original"
  bool random_weights =
      false;  // key objectdino_random_weights: a test model, answers carry RANDOM_WEIGHTS

  int head_dim() const { return width / heads; }
  int prefix_tokens() const { return 1 + registers; }
};

// Of Hugging Face. FAILED_PRECONDITION naming the key: missing, of the wrong type, out of range, or
// an unsupported model_type.
absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json);

// What timm's description of a model says beyond its tensors.
struct TimmConfig {
  std::string architecture;  // "vit_small_patch14_dinov2"
  int width = 0;             // 0 = not said
  bool random_weights = false;
};

// nullopt where the text is not of timm's kind. FAILED_PRECONDITION as above.
absl::StatusOr<std::optional<TimmConfig>> ParseTimmConfig(absl::string_view json);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_MODEL_CONFIG_H_
