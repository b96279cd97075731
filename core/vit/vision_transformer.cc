// SPDX-License-Identifier: Apache-2.0
#include "core/vit/vision_transformer.h"

#include <malloc.h>
#include <utility>

#include "ATen/Context.h"
#include "ATen/detail/CUDAHooksInterface.h"
#include "ATen/ops/cat.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "c10/core/InferenceMode.h"
#include "c10/util/Exception.h"

#include "core/base/status_macros.h"
#include "core/vit/load_parts.h"

namespace objectdino {
namespace {

absl::StatusOr<at::Device> ParseDevice(const std::string& name) {
  const auto bad = [&name](absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat("device '", name, "' ", reason));
  };
  if (name == "cpu") return at::Device(at::kCPU);
  int index = 0;
  if (name != "cuda") {
    absl::string_view digits = name;
    if (!absl::ConsumePrefix(&digits, "cuda:") || !absl::SimpleAtoi(digits, &index) || index < 0) {
      return bad("is none of 'cpu', 'cuda' and 'cuda:<index>'");
    }
  }
  const int count = at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  if (index >= count) return bad(absl::StrCat("is not there, CUDA devices: ", count));
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace

struct VisionTransformer::Layers {
  at::Device device;
  PatchEmbed patch_embed;
  EmbeddingTokens tokens;
  Position position;
  std::vector<Block> blocks;
  LayerNorm final_norm;

  // image [B, 3, rows * p, cols * p] -> [B, T, D]: CLS, registers, patches. Registers have no
  // position.
  at::Tensor Embed(const at::Tensor& image, int64_t rows, int64_t cols) const {
    const int64_t batch = image.size(0);
    const at::Tensor patches = patch_embed.Forward(image);      // [B, N, D]
    const at::Tensor cls = tokens.cls.expand({batch, -1, -1});  // [B, 1, D]
    at::Tensor x = at::cat({cls, patches}, 1);                  // [B, 1 + N, D]
    if (position.learned) x.add_(position.learned->For(rows, cols));
    if (!tokens.registers.defined()) return x;
    const at::Tensor registers = tokens.registers.expand({batch, -1, -1});  // [B, R, D]
    return at::cat({x.narrow(1, 0, 1), registers, x.narrow(1, 1, patches.size(1))},
                   1);  // [B, T, D]
  }
};

absl::StatusOr<std::unique_ptr<VisionTransformer>> VisionTransformer::Create(
    const Checkpoint& checkpoint, const std::string& device_name) {
  const c10::InferenceMode inference;
  OBJECTDINO_ASSIGN_OR_RETURN(const at::Device device, ParseDevice(device_name));
  OBJECTDINO_ASSIGN_OR_RETURN(PatchEmbed patch_embed, LoadPatchEmbed(checkpoint, device));
  OBJECTDINO_ASSIGN_OR_RETURN(EmbeddingTokens tokens, LoadEmbeddingTokens(checkpoint, device));
  OBJECTDINO_ASSIGN_OR_RETURN(Position position, LoadPosition(checkpoint, device));
  std::vector<Block> blocks;
  blocks.reserve(checkpoint.config().layers);
  for (int layer = 0; layer < checkpoint.config().layers; ++layer) {
    OBJECTDINO_ASSIGN_OR_RETURN(Block block, LoadBlock(checkpoint, layer, device));
    blocks.push_back(std::move(block));
    // The originals of the packed weights leave holes in the heap that no later tensor fits into:
    // up to half as much again as the weights.
    malloc_trim(0);
  }
  OBJECTDINO_ASSIGN_OR_RETURN(LayerNorm final_norm, LoadFinalNorm(checkpoint, device));
  std::unique_ptr<Layers> layers(new Layers{device, std::move(patch_embed), std::move(tokens),
                                            std::move(position), std::move(blocks),
                                            std::move(final_norm)});
  return std::unique_ptr<VisionTransformer>(
      new VisionTransformer(checkpoint.config(), std::move(layers)));
}

VisionTransformer::VisionTransformer(ModelConfig config, std::unique_ptr<Layers> layers)
    : config_(std::move(config)), layers_(std::move(layers)) {}

VisionTransformer::~VisionTransformer() = default;

const ModelConfig& VisionTransformer::config() const { return config_; }

ForwardResult VisionTransformer::Forward(const at::Tensor& input,
                                         const ForwardOptions& options) const {
  const int64_t patch = config_.patch_size;
  TORCH_CHECK(input.dim() == 4 && input.size(1) == 3 && input.size(2) >= patch &&
                  input.size(3) >= patch && input.size(2) % patch == 0 &&
                  input.size(3) % patch == 0 && input.scalar_type() == at::kFloat,
              "input must be fp32 [B, 3, rows * ", patch, ", cols * ", patch, "], got ",
              input.sizes());
  const at::Tensor image = input.to(layers_->device);  // [B, 3, rows * p, cols * p]
  const int64_t rows = image.size(2) / patch;
  const int64_t cols = image.size(3) / patch;
  at::Tensor x = layers_->Embed(image, rows, cols);  // [B, T, D]
  Rotation rotation;
  if (layers_->position.rotary) rotation = layers_->position.rotary->For(rows, cols);

  ForwardResult result;
  if (options.block_outputs) result.block_outputs.push_back(x);
  for (int layer = 0; layer < config_.layers; ++layer) {
    if (options.stop && options.stop()) {
      result.stopped = true;
      return result;
    }
    AttentionOutput output = layers_->blocks[layer].Forward(x, rotation);
    x = std::move(output.sum);  // [B, T, D]
    if (options.taps) {
      result.taps.push_back({.layer = layer, .qkv = std::move(output.qkv), .rotation = rotation});
    }
    if (options.block_outputs) result.block_outputs.push_back(x);
  }
  result.tokens = layers_->final_norm.Forward(x);  // [B, T, D]
  return result;
}

}  // namespace objectdino
