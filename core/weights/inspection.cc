// SPDX-License-Identifier: Apache-2.0
#include "core/weights/inspection.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace objectdino {
namespace {

std::string Named(absl::string_view name, const std::vector<int64_t>& shape) {
  return absl::StrCat(QuoteName(name), " [", absl::StrJoin(shape, ", "), "]");
}

bool IsFloat(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBf16;
}

}  // namespace

Inspection Inspect(const Checkpoint& checkpoint) {
  Inspection result;
  std::set<const TensorView*> used;
  for (const NeededTensor& needed : NeededTensors(checkpoint.config())) {
    for (const TensorPiece& piece :
         checkpoint.tensors().Recipe(checkpoint.style(), needed).pieces) {
      if (piece.view == nullptr) {
        if (!piece.zeros) result.missing.push_back(Named(piece.name, piece.shape));
        continue;
      }
      used.insert(piece.view);
      if (piece.view->shape != piece.shape || !IsFloat(piece.view->type)) {
        result.odd.push_back(absl::StrCat(QuoteName(piece.name), " is ",
                                          DescribeTensor(*piece.view), ", expected [",
                                          absl::StrJoin(piece.shape, ", "), "] F32, F16 or BF16"));
        continue;
      }
      result.parameters += piece.view->element_count();
      ++result.types[DataTypeName(piece.view->type)];
    }
  }
  for (const auto& [name, entry] : checkpoint.tensors().entries()) {
    if (used.contains(entry.view) || entry.view->element_count() == 0) continue;
    const bool known = IsKnownUnused(name) || absl::EndsWith(name, "attn.qkv.bias_mask");
    (known ? result.known_unused : result.unused)
        .push_back(Named(entry.file_name, entry.view->shape));
  }
  return result;
}

}  // namespace objectdino
