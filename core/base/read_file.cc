// SPDX-License-Identifier: Apache-2.0
#include "core/base/read_file.h"

#include <cerrno>
#include <fstream>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace objectdino {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

absl::Status CannotBeRead() {
  return absl::NotFoundError(
      absl::StrCat("cannot be read: ", std::generic_category().message(errno)));
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return CannotBeRead();
  std::string bytes;
  while (file) {
    const size_t before = bytes.size();
    bytes.resize(before + kReadBytes);
    file.read(&bytes[before], kReadBytes);
    bytes.resize(before + static_cast<size_t>(file.gcount()));
    if (bytes.size() > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("the file is larger than ", max_bytes, " bytes"));
    }
  }
  if (file.bad()) return CannotBeRead();
  return bytes;
}

}  // namespace objectdino
