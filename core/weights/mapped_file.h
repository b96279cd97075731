// SPDX-License-Identifier: Apache-2.0
// A file in memory without being read: its pages come from the disk when they are first used.
//
// Thread-safety: immutable after opening. Cost: O(1); what is used costs page faults.
#ifndef OBJECTDINO_CORE_WEIGHTS_MAPPED_FILE_H_
#define OBJECTDINO_CORE_WEIGHTS_MAPPED_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

class MappedFile {
 public:
  // NOT_FOUND when the file cannot be opened, FAILED_PRECONDITION when it is empty or no regular
  // file; the message starts with `path`.
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::string_view bytes() const { return bytes_; }
  // Takes the bytes read so far off this process's resident memory; reading them again is fine and
  // costs page faults.
  void ReleasePages() const;

 private:
  explicit MappedFile(absl::string_view bytes) : bytes_(bytes) {}

  absl::string_view bytes_;  // unmapped in the destructor
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_MAPPED_FILE_H_
