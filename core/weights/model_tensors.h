// SPDX-License-Identifier: Apache-2.0
// The tensors of a model's files under our names, whoever named them, and the model that they make.
//
// A canonical tensor (tensor_names.h) may lie in a file as it is, in parts to be put together, or
// be left out because it is zero; the recipe says which. Thread-safety: const methods may run
// concurrently. Cost: adding is O(names); nothing here touches tensor bytes, but for the sixteen
// numbers of DINOv3's periods.
#ifndef OBJECTDINO_CORE_WEIGHTS_MODEL_TENSORS_H_
#define OBJECTDINO_CORE_WEIGHTS_MODEL_TENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/weights/model_config.h"
#include "core/weights/needed_tensors.h"
#include "core/weights/tensor_file.h"
#include "core/weights/tensor_names.h"
#include "core/weights/weight_file.h"

namespace objectdino {

// One piece of a canonical tensor.
struct TensorPiece {
  std::string name = {};             // in the file; of a missing tensor: the usual one
  const TensorView* view = nullptr;  // nullptr: zeros when `zeros`, else missing
  bool zeros = false;
  std::vector<int64_t> shape = {};  // needed
};

struct TensorRecipe {
  // One after the other in memory: put together along the first dimension that is not 1.
  std::vector<TensorPiece> pieces;
  bool mask_keys = false;  // the middle third is zero, whatever the file holds
};

class ModelTensors {
 public:
  struct Entry {
    std::string file_name;  // as the file calls it
    const TensorView* view = nullptr;
  };

  // Indexes the tensors of the file at `path`; the views must outlive this. FAILED_PRECONDITION
  // where one is there already.
  absl::Status Add(absl::string_view path, WeightFormat format,
                   const std::map<std::string, TensorView>& tensors);

  // By normalised name (NormalizeName).
  const std::map<std::string, Entry>& entries() const { return entries_; }
  // FAILED_PRECONDITION when no name is one of a transformer's block.
  absl::StatusOr<NameStyle> Style() const;
  // The entry that holds a canonical tensor or part, or nullptr.
  const Entry* Find(NameStyle style, absl::string_view canonical_name) const;

  TensorRecipe Recipe(NameStyle style, const NeededTensor& needed) const;

  // Every dimension read off the tensors. FAILED_PRECONDITION naming what is missing or odd.
  absl::StatusOr<ModelConfig> Detect(NameStyle style) const;
  // What a model's description says and no tensor's shape shows: FAILED_PRECONDITION where the
  // files hold more blocks, registers or another family than `config`.
  absl::Status CheckAgainst(NameStyle style, const ModelConfig& config) const;
  // Whether the file holds other periods of the rotation than rope_theta gives, beyond the rounding
  // of bfloat16.
  bool HasOwnPeriods(NameStyle style, const ModelConfig& config) const;

 private:
  bool HasAnywhere(absl::string_view ending) const;
  bool IsBiasLeftOut(NameStyle style, absl::string_view canonical_name) const;
  TensorPiece Piece(NameStyle style, const std::string& name, std::vector<int64_t> shape) const;
  int Blocks() const;

  std::map<std::string, Entry> entries_;
  WeightFormat format_ = WeightFormat::kSafetensors;
};

// "huggingface", "timm" or "original", and how such files place the patches.
std::string LayoutName(NameStyle style);
PositionRule PositionRuleOf(NameStyle style, const ModelConfig& config);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_MODEL_TENSORS_H_
