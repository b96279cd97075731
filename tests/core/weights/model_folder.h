// SPDX-License-Identifier: Apache-2.0
// Writes safetensors files and model folders for tests.
#ifndef OBJECTDINO_TESTS_CORE_WEIGHTS_MODEL_FOLDER_H_
#define OBJECTDINO_TESTS_CORE_WEIGHTS_MODEL_FOLDER_H_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace objectdino::testing {

// The length of `header`, `header`, then `data`.
inline std::string RawSafetensors(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(uint64_t{header.size()} >> (8 * i));
  return bytes + header + data;
}

struct FileTensor {
  std::string dtype = "F32";
  std::vector<int64_t> shape;
  std::string bytes;
};

inline FileTensor FloatTensor(const std::vector<int64_t>& shape, const std::vector<float>& values) {
  FileTensor tensor{.dtype = "F32", .shape = shape, .bytes = std::string(values.size() * 4, '\0')};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

// A well-formed file.
inline std::string MakeSafetensors(const std::map<std::string, FileTensor>& tensors) {
  std::vector<std::string> entries;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    entries.push_back(absl::StrCat("\"", name, "\":{\"dtype\":\"", tensor.dtype, "\",\"shape\":[",
                                   absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[",
                                   data.size(), ",", data.size() + tensor.bytes.size(), "]}"));
    data += tensor.bytes;
  }
  return RawSafetensors(absl::StrCat("{", absl::StrJoin(entries, ","), "}"), data);
}

// A folder that is deleted with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "objectdino-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path() const { return path_.string(); }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }

 private:
  std::filesystem::path path_;
};

inline std::string ReadFileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CORE_WEIGHTS_MODEL_FOLDER_H_
