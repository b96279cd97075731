// SPDX-License-Identifier: Apache-2.0
// For tests of what loading a model takes of memory, each in a process of its own.
#ifndef OBJECTDINO_TESTS_CORE_WEIGHTS_BIG_MODEL_H_
#define OBJECTDINO_TESTS_CORE_WEIGHTS_BIG_MODEL_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "core/weights/needed_tensors.h"
#include "tests/core/weights/model_folder.h"

namespace objectdino::testing {

// Of this process, in bytes: "VmRSS" now, "VmHWM" at its peak.
inline int64_t Memory(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

// A DINOv2 of zeros, its tensors a hole in the file. Returns their bytes.
inline int64_t WriteBigModel(const std::string& path, int width, int layers) {
  ModelConfig config;
  config.width = width;
  config.layers = layers;
  config.heads = width / 64;
  config.hidden_width = 4 * width;
  config.patch_size = 14;
  config.position_grid = 16;
  std::vector<std::string> entries;
  int64_t end = 0;
  for (const NeededTensor& tensor : NeededTensors(config)) {
    int64_t bytes = 4;
    for (const int64_t side : tensor.shape) bytes *= side;
    entries.push_back(absl::StrCat("\"", tensor.name, "\":{\"dtype\":\"F32\",\"shape\":[",
                                   absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[", end,
                                   ",", end + bytes, "]}"));
    end += bytes;
  }
  const std::string header =
      RawSafetensors(absl::StrCat("{", absl::StrJoin(entries, ","), "}"), "");
  std::ofstream(path, std::ios::binary) << header;
  std::filesystem::resize_file(path, header.size() + static_cast<uint64_t>(end));
  return end;
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CORE_WEIGHTS_BIG_MODEL_H_
