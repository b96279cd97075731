// SPDX-License-Identifier: Apache-2.0
#include "core/weights/needed_tensors.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace objectdino {
namespace {

std::string InBlock(int block, absl::string_view name) {
  return absl::StrCat("blocks.", block, ".", name);
}

}  // namespace

std::vector<NeededTensor> NeededTensors(const ModelConfig& config) {
  const int64_t width = config.width;
  const int64_t hidden = config.hidden_width;
  const int64_t patch = config.patch_size;
  std::vector<NeededTensor> needed;
  const auto add = [&needed](const std::string& name, std::vector<int64_t> shape) {
    needed.push_back({name, std::move(shape)});
  };
  const auto add_layer = [&add](const std::string& name, const std::vector<int64_t>& shape) {
    add(name + ".weight", shape);
    add(name + ".bias", {shape[0]});
  };
  add("cls_token", {1, 1, width});
  if (config.registers > 0) add("register_tokens", {1, config.registers, width});
  if (config.position != PositionRule::kRope) {
    add("pos_embed", {1, 1 + int64_t{config.position_grid} * config.position_grid, width});
  }
  if (config.file_periods) add("rope_periods", {config.head_dim() / 4});
  add_layer("patch_embed.proj", {width, 3, patch, patch});
  for (int i = 0; i < config.layers; ++i) {
    add_layer(InBlock(i, "norm1"), {width});
    add_layer(InBlock(i, "attn.qkv"), {3 * width, width});
    add_layer(InBlock(i, "attn.proj"), {width, width});
    if (config.layer_scale) add(InBlock(i, "ls1.gamma"), {width});
    add_layer(InBlock(i, "norm2"), {width});
    add_layer(InBlock(i, config.swiglu ? "mlp.w12" : "mlp.fc1"),
              {config.swiglu ? 2 * hidden : hidden, width});
    add_layer(InBlock(i, config.swiglu ? "mlp.w3" : "mlp.fc2"), {width, hidden});
    if (config.layer_scale) add(InBlock(i, "ls2.gamma"), {width});
  }
  add_layer("norm", {width});
  return needed;
}

std::string VariantName(const ModelConfig& config) {
  struct Size {
    const char* name;
    int width;
    int layers;
    bool swiglu;
  };
  static constexpr std::array<Size, 9> kSizes = {{{"S", 384, 12, false},
                                                  {"S+", 384, 12, true},
                                                  {"B", 768, 12, false},
                                                  {"L", 1024, 24, false},
                                                  {"L+", 1024, 24, true},
                                                  {"g", 1536, 40, true},
                                                  {"H+", 1280, 32, true},
                                                  {"7B", 4096, 40, true},
                                                  {"Ti", 192, 12, false}}};
  const char* family = config.family == ModelFamily::kDino     ? "DINO"
                       : config.family == ModelFamily::kDinov2 ? "DINOv2"
                                                               : "DINOv3";
  const auto* const size = std::find_if(kSizes.begin(), kSizes.end(), [&config](const Size& known) {
    return known.width == config.width && known.layers == config.layers &&
           known.swiglu == config.swiglu;
  });
  std::string name = size != kSizes.end()
                         ? absl::StrCat(family, " ViT-", size->name, "/", config.patch_size)
                         : absl::StrCat(family, " ViT of ", config.layers, " layers, ",
                                        config.width, " wide, patch ", config.patch_size);
  // Every DINOv3 has four registers, so there only another number is news.
  if (config.registers != (config.family == ModelFamily::kDinov3 ? 4 : 0)) {
    absl::StrAppend(&name, " with ", config.registers, " registers");
  }
  return name;
}

}  // namespace objectdino
