// SPDX-License-Identifier: Apache-2.0
// Which files make a model: a folder or a single file, with or without config.json.
// Thread-safety: pure function of the file system. Cost: O(names).
#ifndef OBJECTDINO_CORE_WEIGHTS_MODEL_FILES_H_
#define OBJECTDINO_CORE_WEIGHTS_MODEL_FILES_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/weights/weight_file.h"

namespace objectdino {

struct ModelFiles {
  std::string folder;
  std::vector<std::string> names;            // of the weight files, sorted
  std::optional<std::string> config;         // the text of config.json
  std::map<std::string, std::string> index;  // tensor -> file; empty = one file without index
  std::string index_name;                    // "model.safetensors.index.json"

  std::string PathOf(const std::string& name) const;
  std::string ConfigPath() const { return PathOf("config.json"); }
};

// A folder holds model.safetensors, or model.safetensors.index.json and its shards, or the same of
// pytorch_model.bin, or else exactly one .safetensors, .pth, .pt or .bin file. A file stands for
// itself; config.json is its own only where it has one of the names that belong to one. NOT_FOUND
// for a missing path or file, FAILED_PRECONDITION for an index that is malformed and for a folder
// of several models.
absl::StatusOr<ModelFiles> FindModelFiles(const std::string& path);

// Every tensor of the index lies in the file it names, and every tensor of the files is in the
// index. FAILED_PRECONDITION with the first that is not.
absl::Status CheckIndex(const ModelFiles& model,
                        const std::vector<std::unique_ptr<WeightFile>>& files);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_MODEL_FILES_H_
