// SPDX-License-Identifier: Apache-2.0
// The forward pass of a self-supervised vision transformer, with the queries, keys and values of
// its layers tapped.
//
// One network for every family: the config says how positions come in, whether there are registers
// and layer scales, and which feed-forward network there is (backbones.md 3).
//
// Letters: B batch, L layers, H heads, N patches, P prefix tokens (CLS, then registers), T = P + N
// tokens, D width, d = D / H head dimension. Patches are row-major on the grid. Thread-safety:
// immutable after Create; Forward may run concurrently on threads of one caller each. Cost: one
// forward pass; every tapped layer keeps B * T * 3 * D floats alive.
//
// Batch invariance: on the CPU an image's results are the same bits alone and in any batch, since
// every operation sums a row's products in one order whatever the number of rows. That is measured,
// not promised by the libraries: infer_test.cc guards it. On CUDA they are equal up to rounding.
#ifndef OBJECTDINO_CORE_VIT_VISION_TRANSFORMER_H_
#define OBJECTDINO_CORE_VIT_VISION_TRANSFORMER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"

#include "core/vit/rotary_position.h"
#include "core/weights/checkpoint.h"
#include "core/weights/model_config.h"

namespace objectdino {

// Queries, keys and values of one layer as its attention uses them before any position rotation and
// before the 1/sqrt(d) scale: q = Wq x + bq, x = norm1 output (algorithm.md 1.2).
struct LayerTap {
  int layer = 0;
  at::Tensor qkv;          // [B, T, 3, H, d], index 0 = q, 1 = k, 2 = v; prefix tokens included
  Rotation rotation = {};  // what the attention then turns q and k by; the same for all B images
};

struct ForwardOptions {
  bool taps = true;            // fill ForwardResult::taps with every layer
  bool block_outputs = false;  // for tests: fill ForwardResult::block_outputs
  // Asked before every block; where it says true, the pass ends there. Unset: never.
  std::function<bool()> stop = nullptr;
};

struct ForwardResult {
  bool stopped = false;        // by ForwardOptions::stop: the rest is not what it says
  at::Tensor tokens;           // [B, T, D] after the final layer norm
  std::vector<LayerTap> taps;  // L entries, or none
  std::vector<at::Tensor>
      block_outputs;  // [0] = embeddings with positions, [i] = after block i - 1; each [B, T, D]
};

class VisionTransformer {
 public:
  // Copies the weights out of `checkpoint` to `device` ("cpu", "cuda", "cuda:1") and packs them for
  // the CPU. FAILED_PRECONDITION naming the tensor that is missing or of the wrong shape;
  // INVALID_ARGUMENT for a device that is not there.
  static absl::StatusOr<std::unique_ptr<VisionTransformer>> Create(const Checkpoint& checkpoint,
                                                                   const std::string& device);
  ~VisionTransformer();

  const ModelConfig& config() const;

  // `input` is [B, 3, rows * patch, cols * patch] fp32 on any device, normalised. Results lie on
  // the model's device. Throws c10::Error on misuse; run under c10::InferenceMode.
  ForwardResult Forward(const at::Tensor& input, const ForwardOptions& options) const;

 private:
  struct Layers;  // patch embedding, tokens, positions, blocks, final norm
  VisionTransformer(ModelConfig config, std::unique_ptr<Layers> layers);

  ModelConfig config_;
  std::unique_ptr<Layers> layers_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_VIT_VISION_TRANSFORMER_H_
