// SPDX-License-Identifier: Apache-2.0
#include "core/vit/load_parts.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// Weight and bias of a linear layer on their way into a Linear.
struct LinearWeights {
  at::Tensor weight;  // [out, in]
  at::Tensor bias;    // [out]
};

absl::StatusOr<LinearWeights> GetLinear(const Checkpoint& checkpoint, const std::string& name,
                                        int64_t out, int64_t in) {
  LinearWeights result;
  OBJECTDINO_ASSIGN_OR_RETURN(result.weight, checkpoint.Get(name + ".weight", {out, in}));
  OBJECTDINO_ASSIGN_OR_RETURN(result.bias, checkpoint.Get(name + ".bias", {out}));
  return result;
}

// diag(scale) (W x + b) = (diag(scale) W) x + scale b, where the model has scales.
absl::StatusOr<LinearWeights> GetScaledLinear(const Checkpoint& checkpoint, const std::string& name,
                                              const std::string& scale_name, int64_t out,
                                              int64_t in) {
  OBJECTDINO_ASSIGN_OR_RETURN(LinearWeights result, GetLinear(checkpoint, name, out, in));
  if (!checkpoint.config().layer_scale) return result;
  OBJECTDINO_ASSIGN_OR_RETURN(const at::Tensor scale, checkpoint.Get(scale_name, {out}));
  result.weight.mul_(scale.unsqueeze(1));  // [out, in] * [out, 1]
  result.bias.mul_(scale);                 // [out]
  return result;
}

absl::StatusOr<LayerNorm> GetNorm(const Checkpoint& checkpoint, const std::string& name,
                                  at::Device device) {
  const int64_t width = checkpoint.config().width;
  OBJECTDINO_ASSIGN_OR_RETURN(const at::Tensor weight, checkpoint.Get(name + ".weight", {width}));
  OBJECTDINO_ASSIGN_OR_RETURN(const at::Tensor bias, checkpoint.Get(name + ".bias", {width}));
  return LayerNorm(weight, bias, checkpoint.config().layer_norm_eps, device);
}

absl::StatusOr<Attention> GetAttention(const Checkpoint& checkpoint, const std::string& prefix,
                                       at::Device device) {
  const int64_t width = checkpoint.config().width;
  OBJECTDINO_ASSIGN_OR_RETURN(const LinearWeights qkv,
                              GetLinear(checkpoint, prefix + "attn.qkv", 3 * width, width));
  OBJECTDINO_ASSIGN_OR_RETURN(
      const LinearWeights output,
      GetScaledLinear(checkpoint, prefix + "attn.proj", prefix + "ls1.gamma", width, width));
  return Attention(Linear(qkv.weight, qkv.bias, device), Linear(output.weight, output.bias, device),
                   checkpoint.config().heads);
}

absl::StatusOr<FeedForward> GetFeedForward(const Checkpoint& checkpoint, const std::string& prefix,
                                           at::Device device) {
  const ModelConfig& config = checkpoint.config();
  const int64_t width = config.width;
  const int64_t hidden = config.hidden_width;
  OBJECTDINO_ASSIGN_OR_RETURN(const LinearWeights in,
                              config.swiglu
                                  ? GetLinear(checkpoint, prefix + "mlp.w12", 2 * hidden, width)
                                  : GetLinear(checkpoint, prefix + "mlp.fc1", hidden, width));
  OBJECTDINO_ASSIGN_OR_RETURN(
      const LinearWeights out,
      GetScaledLinear(checkpoint, prefix + (config.swiglu ? "mlp.w3" : "mlp.fc2"),
                      prefix + "ls2.gamma", width, hidden));
  return FeedForward(Linear(in.weight, in.bias, device), Linear(out.weight, out.bias, device),
                     config.swiglu);
}

absl::StatusOr<at::Tensor> GetPeriods(const Checkpoint& checkpoint) {
  const ModelConfig& config = checkpoint.config();
  if (config.head_dim() % 4 != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "rotary positions need a head dimension that 4 divides, got ", config.head_dim()));
  }
  if (!config.file_periods) return RotaryPeriods(config.rope_theta, config.head_dim());
  return checkpoint.Get("rope_periods", {config.head_dim() / 4});
}

}  // namespace

absl::StatusOr<PatchEmbed> LoadPatchEmbed(const Checkpoint& checkpoint, at::Device device) {
  const ModelConfig& config = checkpoint.config();
  const int64_t patch = config.patch_size;
  OBJECTDINO_ASSIGN_OR_RETURN(
      const at::Tensor weight,
      checkpoint.Get("patch_embed.proj.weight", {config.width, 3, patch, patch}));
  OBJECTDINO_ASSIGN_OR_RETURN(const at::Tensor bias,
                              checkpoint.Get("patch_embed.proj.bias", {config.width}));
  return PatchEmbed(weight, bias, device);
}

absl::StatusOr<EmbeddingTokens> LoadEmbeddingTokens(const Checkpoint& checkpoint,
                                                    at::Device device) {
  const ModelConfig& config = checkpoint.config();
  EmbeddingTokens tokens;
  OBJECTDINO_ASSIGN_OR_RETURN(const at::Tensor cls,
                              checkpoint.Get("cls_token", {1, 1, config.width}));
  tokens.cls = cls.to(device);
  if (config.registers == 0) return tokens;
  OBJECTDINO_ASSIGN_OR_RETURN(
      const at::Tensor registers,
      checkpoint.Get("register_tokens", {1, config.registers, config.width}));
  tokens.registers = registers.to(device);
  return tokens;
}

absl::StatusOr<Position> LoadPosition(const Checkpoint& checkpoint, at::Device device) {
  const ModelConfig& config = checkpoint.config();
  Position position;
  if (config.position == PositionRule::kRope) {
    OBJECTDINO_ASSIGN_OR_RETURN(const at::Tensor periods, GetPeriods(checkpoint));
    position.rotary = std::make_unique<RotaryPosition>(periods, config.prefix_tokens(), device);
    return position;
  }
  const int64_t cells = int64_t{config.position_grid} * config.position_grid;
  OBJECTDINO_ASSIGN_OR_RETURN(const at::Tensor table,
                              checkpoint.Get("pos_embed", {1, 1 + cells, config.width}));
  position.learned = std::make_unique<LearnedPosition>(table, config.position, device);
  return position;
}

absl::StatusOr<Block> LoadBlock(const Checkpoint& checkpoint, int layer, at::Device device) {
  const std::string prefix = absl::StrCat("blocks.", layer, ".");
  OBJECTDINO_ASSIGN_OR_RETURN(LayerNorm norm1, GetNorm(checkpoint, prefix + "norm1", device));
  OBJECTDINO_ASSIGN_OR_RETURN(Attention attention, GetAttention(checkpoint, prefix, device));
  OBJECTDINO_ASSIGN_OR_RETURN(LayerNorm norm2, GetNorm(checkpoint, prefix + "norm2", device));
  OBJECTDINO_ASSIGN_OR_RETURN(FeedForward feed_forward, GetFeedForward(checkpoint, prefix, device));
  return Block(std::move(norm1), std::move(attention), std::move(norm2), std::move(feed_forward));
}

absl::StatusOr<LayerNorm> LoadFinalNorm(const Checkpoint& checkpoint, at::Device device) {
  return GetNorm(checkpoint, "norm", device);
}

}  // namespace objectdino
