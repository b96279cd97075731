// SPDX-License-Identifier: Apache-2.0
// One file of weights in either format, told apart by its first bytes: safetensors, or what
// torch.save wrote.
// Thread-safety: immutable after opening. Cost: O(names); tensor bytes are paged in on first use.
#ifndef OBJECTDINO_CORE_WEIGHTS_WEIGHT_FILE_H_
#define OBJECTDINO_CORE_WEIGHTS_WEIGHT_FILE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/weights/mapped_file.h"
#include "core/weights/tensor_file.h"

namespace objectdino {

enum class WeightFormat { kSafetensors, kTorch };

class WeightFile {
 public:
  // NOT_FOUND when the file cannot be opened, FAILED_PRECONDITION when it is malformed or of
  // PyTorch's legacy format; the message starts with `path` and names the tensor at fault.
  static absl::StatusOr<std::unique_ptr<WeightFile>> Open(const std::string& path);

  const std::string& path() const { return path_; }
  WeightFormat format() const { return format_; }
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  // Of a checkpoint with several networks the one that is read, such as "teacher"; or empty.
  const std::string& part() const { return part_; }
  absl::string_view bytes() const { return file_->bytes(); }  // the whole file
  void ReleasePages() const { file_->ReleasePages(); }        // see MappedFile

 private:
  WeightFile(std::string path, std::unique_ptr<MappedFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  std::unique_ptr<MappedFile> file_;
  WeightFormat format_ = WeightFormat::kSafetensors;
  std::map<std::string, TensorView> tensors_;
  std::string part_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_WEIGHT_FILE_H_
