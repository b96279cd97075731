// SPDX-License-Identifier: Apache-2.0
// The bytes of a file.
// Thread-safety: pure function of the file system. Cost: O(bytes).
#ifndef OBJECTDINO_CORE_BASE_READ_FILE_H_
#define OBJECTDINO_CORE_BASE_READ_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace objectdino {

inline constexpr size_t kMaxFileBytes = size_t{1} << 30;

// All bytes of the file at `path`. The messages do not name the file: callers know what its user
// calls it. NOT_FOUND: it cannot be read ("cannot be read: No such file or directory").
// INVALID_ARGUMENT: it is larger than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = kMaxFileBytes);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BASE_READ_FILE_H_
