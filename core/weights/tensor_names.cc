// SPDX-License-Identifier: Apache-2.0
#include "core/weights/tensor_names.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace objectdino {
namespace {

constexpr absl::string_view kWrappers[] = {
    "module.", "_orig_mod.", "teacher.", "backbone.", "model.", "vit.", "dinov2_with_registers.",
    "dinov2.", "dinov3_vit."};
constexpr absl::string_view kBlockPrefixes[] = {"blocks.", "encoder.layer.", "layer."};
constexpr int kMaxBlockIndex = 10'000;

struct Row {
  absl::string_view name;                    // canonical
  std::array<absl::string_view, 5> in_file;  // by NameStyle; alternatives are divided by '|'
};

// Tensors outside of the blocks: {ours, {original, timm, vit, dinov2, dinov3}}. Where a row names a
// layer, ".weight" and ".bias" follow.
constexpr Row kOuterRows[] = {
    {"cls_token",
     {"cls_token", "cls_token", "embeddings.cls_token", "embeddings.cls_token",
      "embeddings.cls_token"}},
    {"register_tokens",
     {"register_tokens|storage_tokens", "reg_token", "", "embeddings.register_tokens",
      "embeddings.register_tokens"}},
    {"pos_embed",
     {"pos_embed", "pos_embed", "embeddings.position_embeddings", "embeddings.position_embeddings",
      ""}},
    {"rope_periods", {"rope_embed.periods", "", "", "", ""}},
    {"patch_embed.proj",
     {"patch_embed.proj", "patch_embed.proj", "embeddings.patch_embeddings.projection",
      "embeddings.patch_embeddings.projection", "embeddings.patch_embeddings"}},
    {"norm", {"norm", "norm", "layernorm", "layernorm", "norm"}},
};

// Tensors of a block, without its prefix.
constexpr Row kBlockRows[] = {
    {"norm1", {"norm1", "norm1", "layernorm_before", "norm1", "norm1"}},
    {"norm2", {"norm2", "norm2", "layernorm_after", "norm2", "norm2"}},
    {"attn.qkv.bias_mask", {"attn.qkv.bias_mask", "", "", "", ""}},
    {"attn.qkv", {"attn.qkv", "attn.qkv", "", "", ""}},
    {"attn.q.bias",
     {"", "attn.q_bias|attn.q_proj.bias", "attention.attention.query.bias",
      "attention.attention.query.bias", "attention.q_proj.bias"}},
    {"attn.k.bias",
     {"", "attn.k_bias|attn.k_proj.bias", "attention.attention.key.bias",
      "attention.attention.key.bias", "attention.k_proj.bias"}},
    {"attn.v.bias",
     {"", "attn.v_bias|attn.v_proj.bias", "attention.attention.value.bias",
      "attention.attention.value.bias", "attention.v_proj.bias"}},
    {"attn.q",
     {"", "attn.q_proj", "attention.attention.query", "attention.attention.query",
      "attention.q_proj"}},
    {"attn.k",
     {"", "attn.k_proj", "attention.attention.key", "attention.attention.key", "attention.k_proj"}},
    {"attn.v",
     {"", "attn.v_proj", "attention.attention.value", "attention.attention.value",
      "attention.v_proj"}},
    {"attn.proj",
     {"attn.proj", "attn.proj", "attention.output.dense", "attention.output.dense",
      "attention.o_proj"}},
    {"ls1.gamma",
     {"ls1.gamma", "ls1.gamma|gamma_1", "", "layer_scale1.lambda1", "layer_scale1.lambda1"}},
    {"ls2.gamma",
     {"ls2.gamma", "ls2.gamma|gamma_2", "", "layer_scale2.lambda1", "layer_scale2.lambda1"}},
    {"mlp.fc1", {"mlp.fc1", "mlp.fc1", "intermediate.dense", "mlp.fc1", "mlp.up_proj"}},
    {"mlp.fc2", {"mlp.fc2", "mlp.fc2", "output.dense", "mlp.fc2", "mlp.down_proj"}},
    {"mlp.w12", {"mlp.w12", "mlp.fc1", "", "mlp.weights_in", ""}},
    {"mlp.w3", {"mlp.w3", "mlp.fc2", "", "mlp.weights_out", "mlp.down_proj"}},
    {"mlp.w1", {"mlp.w1", "mlp.fc1_g", "", "", "mlp.gate_proj"}},
    {"mlp.w2", {"mlp.w2", "mlp.fc1_x", "", "", "mlp.up_proj"}},
};

constexpr absl::string_view kUnused[] = {"mask_token", "embeddings.mask_token"};
constexpr absl::string_view kUnusedPrefixes[] = {
    "head.",    "dino_head.", "ibot_head.",  "classifier.",     "pooler.",
    "fc_norm.", "student.",   "projectors.", "local_cls_norm.", "rope_embed."};

// "3.norm1.weight" -> 3 and "norm1.weight"; -1 where no number leads.
int ConsumeIndex(absl::string_view& name) {
  const size_t digits = static_cast<size_t>(
      std::find_if_not(name.begin(), name.end(), absl::ascii_isdigit) - name.begin());
  int index = 0;
  if (digits == 0 || digits >= name.size() || name[digits] != '.' ||
      !absl::SimpleAtoi(name.substr(0, digits), &index) || index > kMaxBlockIndex) {
    return -1;
  }
  name.remove_prefix(digits + 1);
  return index;
}

// The index of "blocks.<i>.", taken off the name with its prefix.
int ConsumeBlock(absl::string_view& name) {
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, "blocks.")) return -1;
  const int index = ConsumeIndex(rest);
  if (index >= 0) name = rest;
  return index;
}

template <size_t kRows>
absl::string_view Spelling(const Row (&rows)[kRows], NameStyle style, absl::string_view name) {
  const auto* const row =
      std::find_if(rows, rows + kRows, [name](const Row& r) { return r.name == name; });
  return row == rows + kRows ? absl::string_view() : row->in_file[static_cast<size_t>(style)];
}

// The spellings of a name without its block, with ".weight" and ".bias" given back.
std::vector<std::string> Spellings(NameStyle style, bool in_block, absl::string_view name) {
  const auto find = [&](absl::string_view part) {
    return in_block ? Spelling(kBlockRows, style, part) : Spelling(kOuterRows, style, part);
  };
  absl::string_view leaf;
  absl::string_view spelled = find(name);
  if (spelled.empty()) {
    for (const absl::string_view ending : {".weight", ".bias"}) {
      absl::string_view layer = name;
      if (!absl::ConsumeSuffix(&layer, ending)) continue;
      spelled = find(layer);
      leaf = ending;
    }
  }
  std::vector<std::string> names;
  if (spelled.empty()) return names;
  for (const absl::string_view alternative : absl::StrSplit(spelled, '|')) {
    names.push_back(absl::StrCat(alternative, leaf));
  }
  return names;
}

}  // namespace

std::string NormalizeName(absl::string_view file_name) {
  absl::string_view name = file_name;
  while (std::any_of(std::begin(kWrappers), std::end(kWrappers), [&name](absl::string_view prefix) {
    return absl::ConsumePrefix(&name, prefix);
  })) {
  }
  for (const absl::string_view prefix : kBlockPrefixes) {
    absl::string_view rest = name;
    if (!absl::ConsumePrefix(&rest, prefix)) continue;
    int index = ConsumeIndex(rest);
    if (index < 0) break;
    // Chunked blocks: "blocks.<chunk>.<i>.", where i counts on through the chunks.
    if (const int inner = ConsumeIndex(rest); inner >= 0) index = inner;
    return absl::StrCat("blocks.", index, ".", rest);
  }
  return std::string(name);
}

int BlockIndex(absl::string_view normalized_name) { return ConsumeBlock(normalized_name); }

std::vector<std::string> NamesInFile(NameStyle style, absl::string_view canonical_name) {
  const int block = ConsumeBlock(canonical_name);
  std::vector<std::string> names = Spellings(style, block >= 0, canonical_name);
  if (block < 0) return names;
  for (std::string& name : names) name = absl::StrCat("blocks.", block, ".", name);
  return names;
}

std::string UsualName(NameStyle style, absl::string_view canonical_name) {
  absl::string_view name = canonical_name;
  const int block = ConsumeBlock(name);
  const std::vector<std::string> names = Spellings(style, block >= 0, name);
  if (names.empty()) return std::string(canonical_name);
  if (block < 0) return names[0];
  const absl::string_view prefix = style == NameStyle::kDinov3 ? "layer."
                                   : IsHuggingFace(style)      ? "encoder.layer."
                                                               : "blocks.";
  return absl::StrCat(prefix, block, ".", names[0]);
}

bool IsKnownUnused(absl::string_view normalized_name) {
  return std::find(std::begin(kUnused), std::end(kUnused), normalized_name) != std::end(kUnused) ||
         std::any_of(
             std::begin(kUnusedPrefixes), std::end(kUnusedPrefixes),
             [&](absl::string_view prefix) { return absl::StartsWith(normalized_name, prefix); });
}

}  // namespace objectdino
