// SPDX-License-Identifier: Apache-2.0
#include "core/weights/model_tensors.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace objectdino {
namespace {

// Canonical tensors that files may hold in parts, stacked along the first axis.
struct Stacked {
  absl::string_view name;
  std::vector<absl::string_view> parts;
};
const std::vector<Stacked>& StackedTensors() {
  static const auto& tensors = *new std::vector<Stacked>{
      {"attn.qkv.weight", {"attn.q.weight", "attn.k.weight", "attn.v.weight"}},
      {"attn.qkv.bias", {"attn.q.bias", "attn.k.bias", "attn.v.bias"}},
      {"mlp.w12.weight", {"mlp.w1.weight", "mlp.w2.weight"}},
      {"mlp.w12.bias", {"mlp.w1.bias", "mlp.w2.bias"}}};
  return tensors;
}

std::string InBlock(int block, absl::string_view name) {
  return absl::StrCat("blocks.", block, ".", name);
}

}  // namespace

absl::Status ModelTensors::Add(absl::string_view path, WeightFormat format,
                               const std::map<std::string, TensorView>& tensors) {
  format_ = format;
  for (const auto& [file_name, view] : tensors) {
    const std::string name = NormalizeName(file_name);
    const auto [position, inserted] = entries_.try_emplace(name, Entry{file_name, &view});
    // A student's tensors may be called as the teacher's are; they are passed over.
    if (!inserted && !IsKnownUnused(name)) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": tensor ", QuoteName(file_name), " appears twice in the model, as ",
                       QuoteName(position->second.file_name), " too"));
    }
  }
  return absl::OkStatus();
}

bool ModelTensors::HasAnywhere(absl::string_view ending) const {
  return std::any_of(entries_.begin(), entries_.end(), [ending](const auto& entry) {
    return BlockIndex(entry.first) >= 0 && absl::EndsWith(entry.first, ending);
  });
}

absl::StatusOr<NameStyle> ModelTensors::Style() const {
  // Two names each, so that a file that lacks one is still told which one it lacks.
  if (HasAnywhere(".attention.q_proj.weight") || HasAnywhere(".attention.o_proj.weight")) {
    return NameStyle::kDinov3;
  }
  if (HasAnywhere(".layernorm_before.weight") || HasAnywhere(".layernorm_after.weight")) {
    return NameStyle::kVit;
  }
  if (HasAnywhere(".attention.attention.query.weight") ||
      HasAnywhere(".attention.output.dense.weight")) {
    return NameStyle::kDinov2;
  }
  if (!HasAnywhere(".attn.qkv.weight") && !HasAnywhere(".attn.proj.weight")) {
    std::string some;
    for (const auto& [name, entry] : entries_) {
      if (some.size() < 100)
        absl::StrAppend(&some, some.empty() ? "" : ", ", QuoteName(entry.file_name));
    }
    return absl::FailedPreconditionError(absl::StrCat(
        "no tensor has a name that DINO, DINOv2 or DINOv3 use for attention; the file holds ",
        some.empty() ? "no tensors" : some));
  }
  const auto has = [this](const char* name) { return entries_.contains(name); };
  if (has("reg_token") || HasAnywhere(".gamma_1") || HasAnywhere(".attn.q_proj.weight") ||
      HasAnywhere(".mlp.fc1_g.weight") || HasAnywhere(".attn.q_bias")) {
    return NameStyle::kTimm;
  }
  if (has("register_tokens") || has("storage_tokens") || has("mask_token") ||
      has("rope_embed.periods") || HasAnywhere(".mlp.w12.weight") ||
      HasAnywhere(".mlp.w1.weight")) {
    return NameStyle::kOriginal;
  }
  // Without registers the two agree in every name; then the kind of file tells them apart.
  return format_ == WeightFormat::kTorch ? NameStyle::kOriginal : NameStyle::kTimm;
}

const ModelTensors::Entry* ModelTensors::Find(NameStyle style,
                                              absl::string_view canonical_name) const {
  for (const std::string& name : NamesInFile(style, canonical_name)) {
    const auto found = entries_.find(name);
    if (found != entries_.end()) return &found->second;
  }
  return nullptr;
}

// DINOv3's keys have no bias, and its files may leave out others that are zero. A bias that some
// blocks have is missing from the others.
bool ModelTensors::IsBiasLeftOut(NameStyle style, absl::string_view canonical_name) const {
  const int block = BlockIndex(canonical_name);
  const bool dinov3 =
      style == NameStyle::kDinov3 || (!IsHuggingFace(style) && Find(style, "pos_embed") == nullptr);
  if (!dinov3 || block < 0 || !absl::EndsWith(canonical_name, ".bias")) return false;
  absl::string_view part = canonical_name;
  absl::ConsumePrefix(&part, InBlock(block, ""));
  if (!absl::StartsWith(part, "attn.") && !absl::StartsWith(part, "mlp.")) return false;
  const int blocks = Blocks();
  for (int i = 0; i < blocks; ++i) {
    if (Find(style, InBlock(i, part)) != nullptr) return false;
  }
  return true;
}

TensorPiece ModelTensors::Piece(NameStyle style, const std::string& name,
                                std::vector<int64_t> shape) const {
  TensorPiece piece{.name = UsualName(style, name), .shape = std::move(shape)};
  if (const Entry* entry = Find(style, name)) {
    piece.name = entry->file_name;
    piece.view = entry->view;
  } else {
    piece.zeros = IsBiasLeftOut(style, name);
  }
  return piece;
}

TensorRecipe ModelTensors::Recipe(NameStyle style, const NeededTensor& needed) const {
  TensorRecipe recipe;
  const Entry* whole = Find(style, needed.name);
  const int block = BlockIndex(needed.name);
  absl::string_view part = needed.name;
  if (block >= 0) absl::ConsumePrefix(&part, InBlock(block, ""));

  if (part == "pos_embed" && whole != nullptr && needed.shape.size() == 3 &&
      whole->view->shape == std::vector<int64_t>{1, needed.shape[1] - 1, needed.shape[2]}) {
    // timm's models with registers: the CLS token's position is in the token already.
    recipe.pieces = {{.name = "", .zeros = true, .shape = {1, 1, needed.shape[2]}},
                     Piece(style, needed.name, whole->view->shape)};
    return recipe;
  }
  recipe.mask_keys =
      part == "attn.qkv.bias" && Find(style, InBlock(block, "attn.qkv.bias_mask")) != nullptr;
  const auto stacked = std::find_if(StackedTensors().begin(), StackedTensors().end(),
                                    [part](const Stacked& tensor) { return tensor.name == part; });
  if (whole == nullptr && stacked != StackedTensors().end() && !needed.shape.empty()) {
    const bool in_parts =
        NamesInFile(style, needed.name).empty() ||
        std::any_of(stacked->parts.begin(), stacked->parts.end(), [&](absl::string_view name) {
          return Find(style, InBlock(block, name)) != nullptr;
        });
    if (in_parts) {
      std::vector<int64_t> shape = needed.shape;
      shape[0] /= static_cast<int64_t>(stacked->parts.size());
      for (const absl::string_view name : stacked->parts) {
        recipe.pieces.push_back(Piece(style, InBlock(block, name), shape));
      }
      return recipe;
    }
  }
  recipe.pieces = {Piece(style, needed.name, needed.shape)};
  return recipe;
}

int ModelTensors::Blocks() const {
  int blocks = 0;
  for (const auto& [name, entry] : entries_) blocks = std::max(blocks, BlockIndex(name) + 1);
  return blocks;
}

}  // namespace objectdino
