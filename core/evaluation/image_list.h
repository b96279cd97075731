// SPDX-License-Identifier: Apache-2.0
// A list of images in a text file, one a line: COCO ids, file names, or file names without
// extension; folders in front of them are ignored.
// Thread-safety: none; Contains remembers what it found.
#ifndef OBJECTDINO_CORE_EVALUATION_IMAGE_LIST_H_
#define OBJECTDINO_CORE_EVALUATION_IMAGE_LIST_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

class ImageList {
 public:
  // NOT_FOUND: cannot be read. INVALID_ARGUMENT: no line, or one twice.
  static absl::StatusOr<ImageList> Read(const std::string& path);

  // Whether the list names this image: its file name, that without extension, or its `id`, which
  // may be empty.
  bool Contains(absl::string_view file_name, absl::string_view id);

  // INVALID_ARGUMENT "FILE:LINE: ...": an entry that no call of Contains found.
  absl::Status CheckAllFound() const;

  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    int line = 0;
    bool found = false;
  };

  bool Find(absl::string_view name);

  std::string path_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_IMAGE_LIST_H_
