// SPDX-License-Identifier: Apache-2.0
// Reader of the safetensors format over a memory map (backbones.md 3.5).
//
// Checks: header length within the file and within 100 MB, valid UTF-8 JSON, no duplicate names,
// known dtypes, shape * dtype == byte range (without overflow), ranges inside the file, no
// overlaps, no holes, nothing behind the last range. A file that passes can be read without further
// checks. Thread-safety: immutable after opening. Cost: O(header); tensor bytes are paged in on
// first use.
#ifndef OBJECTDINO_CORE_WEIGHTS_SAFETENSORS_H_
#define OBJECTDINO_CORE_WEIGHTS_SAFETENSORS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/weights/mapped_file.h"
#include "core/weights/tensor_file.h"

namespace objectdino {

// The parsed table of one file whose bytes are elsewhere.
struct SafetensorsTable {
  std::map<std::string, TensorView> tensors;    // views into the bytes given to Parse
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

// FAILED_PRECONDITION with the tensor's name and the reason.
absl::StatusOr<SafetensorsTable> ParseSafetensors(absl::string_view bytes);

class SafetensorsFile {
 public:
  // NOT_FOUND when the file cannot be opened, FAILED_PRECONDITION when it is malformed; the message
  // starts with `path`.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);

  const SafetensorsTable& table() const { return table_; }
  absl::string_view bytes() const { return file_->bytes(); }  // the whole file

 private:
  explicit SafetensorsFile(std::unique_ptr<MappedFile> file) : file_(std::move(file)) {}

  std::unique_ptr<MappedFile> file_;
  SafetensorsTable table_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_SAFETENSORS_H_
