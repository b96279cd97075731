// SPDX-License-Identifier: Apache-2.0
// A model on disk, in whichever layout it was published: a Hugging Face folder, timm's file, or the
// authors' own .pth (backbones.md 3.2, 3.5).
//
// Family, dimensions and layout are read off the tensors; a config.json beside them is believed
// where it says more, and checked where both speak. Tensors are asked for by our names
// (tensor_names.h) with the shape that the network needs, so that a wrong file is refused by name
// instead of failing later; messages call a tensor as the file does. Thread-safety: const methods
// may run concurrently.
#ifndef OBJECTDINO_CORE_WEIGHTS_CHECKPOINT_H_
#define OBJECTDINO_CORE_WEIGHTS_CHECKPOINT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/weights/model_config.h"
#include "core/weights/model_tensors.h"
#include "core/weights/weight_file.h"

namespace objectdino {

class Checkpoint {
 public:
  // `path` is a folder or a file of weights (model_files.h). NOT_FOUND for a missing path or file,
  // FAILED_PRECONDITION for a malformed one, one that is no DINO, and one that its config.json
  // contradicts. Missing tensors are noticed by Get. Cost: reads every byte once, for the digest.
  static absl::StatusOr<Checkpoint> Open(const std::string& path);

  const ModelConfig& config() const { return config_; }
  // Lower-case hex SHA-256 over the weight files in the order of their names.
  const std::string& digest() const { return digest_; }

  // A fp32 CPU copy of canonical tensor `name` (F32, F16 and BF16 on disk). FAILED_PRECONDITION
  // naming the file's tensor when it is missing, of another dtype, or when its shape is not exactly
  // what makes up `shape`.
  absl::StatusOr<at::Tensor> Get(absl::string_view name, const std::vector<int64_t>& shape) const;

  const std::vector<std::unique_ptr<WeightFile>>& files() const { return files_; }
  const ModelTensors& tensors() const { return tensors_; }
  NameStyle style() const { return style_; }

 private:
  Checkpoint() = default;

  ModelConfig config_;
  std::string digest_;
  NameStyle style_ = NameStyle::kOriginal;
  std::vector<std::unique_ptr<WeightFile>> files_;
  ModelTensors tensors_;  // of the files
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_CHECKPOINT_H_
