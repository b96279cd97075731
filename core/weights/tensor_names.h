// SPDX-License-Identifier: Apache-2.0
// What the same tensor is called by each of those who publish the weights (backbones.md 3.2).
//
// Our own ("canonical") names are the originals' where those agree:
//   cls_token, register_tokens, pos_embed, rope_periods, patch_embed.proj.{weight,bias},
//   norm.{weight,bias}, and for block i
//   blocks.i.{norm1,norm2,attn.qkv,attn.proj}.{weight,bias}, blocks.i.{ls1,ls2}.gamma,
//   blocks.i.mlp.{fc1,fc2}.{weight,bias}, or gated blocks.i.mlp.{w12,w3}.{weight,bias}.
// Files may hold attn.q, attn.k, attn.v and mlp.w1, mlp.w2 apart.
// Thread-safety: pure functions. Cost: O(length of the tables).
#ifndef OBJECTDINO_CORE_WEIGHTS_TENSOR_NAMES_H_
#define OBJECTDINO_CORE_WEIGHTS_TENSOR_NAMES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace objectdino {

// Whose names a file uses. The last three are Hugging Face's.
enum class NameStyle { kOriginal, kTimm, kVit, kDinov2, kDinov3 };

inline bool IsHuggingFace(NameStyle style) { return style >= NameStyle::kVit; }

// The name without what wrappers and training loops put before it ("module.", "teacher.backbone.",
// "dinov2."), and with "blocks.<i>." before the tensors of block i, whichever way the file counts
// blocks.
std::string NormalizeName(absl::string_view file_name);

// i of "blocks.<i>.", -1 for other names.
int BlockIndex(absl::string_view normalized_name);

// The normalised names under which a file of `style` holds a canonical tensor (or one of the parts
// above), the usual one first; none where the style knows no such tensor.
std::vector<std::string> NamesInFile(NameStyle style, absl::string_view canonical_name);

// The usual name in the file, with the blocks counted as the style does, for messages.
std::string UsualName(NameStyle style, absl::string_view canonical_name);

// Whether published checkpoints hold this tensor and the features need it not: mask tokens, heads,
// poolers, the student beside its teacher.
bool IsKnownUnused(absl::string_view normalized_name);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_TENSOR_NAMES_H_
