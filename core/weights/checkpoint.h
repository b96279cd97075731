// SPDX-License-Identifier: Apache-2.0
// A model folder in Hugging Face layout: config.json and model.safetensors (or shards with an
// index).
//
// Tensor names are found with or without the prefixes that other exports add ("dinov2.", "vit.");
// every request names the shape it needs, so that a wrong file is refused by name instead of
// failing later. Thread-safety: const methods may run concurrently.
#ifndef OBJECTDINO_CORE_WEIGHTS_CHECKPOINT_H_
#define OBJECTDINO_CORE_WEIGHTS_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/weights/model_config.h"
#include "core/weights/safetensors.h"

namespace objectdino {

class Checkpoint {
 public:
  // NOT_FOUND for a missing folder or file, FAILED_PRECONDITION for a malformed one.
  static absl::StatusOr<Checkpoint> Open(const std::string& folder);

  const ModelConfig& config() const { return config_; }
  // Lower-case hex SHA-256 over the weight files in the order of their names. Cost: reads every
  // byte.
  const std::string& digest() const { return digest_; }

  // A fp32 CPU copy of tensor `name` (F32, F16 and BF16 on disk). FAILED_PRECONDITION naming the
  // tensor when it is missing, of another dtype, or when its shape is not exactly `shape`.
  absl::StatusOr<at::Tensor> Get(absl::string_view name, const std::vector<int64_t>& shape) const;

 private:
  Checkpoint() = default;

  ModelConfig config_;
  std::string digest_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, const TensorView*> tensors_;  // by name without known prefixes
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_CHECKPOINT_H_
