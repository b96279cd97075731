// SPDX-License-Identifier: Apache-2.0
// Notices that files have changed, for what is reloaded without a restart.
//
// Looks at most once in kInterval, whoever asks. Follows symbolic links, so that the way in which
// Kubernetes swaps a mounted secret is seen. Not thread-safe.
#ifndef OBJECTDINO_SERVER_FILE_WATCH_H_
#define OBJECTDINO_SERVER_FILE_WATCH_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace objectdino {

class FileWatch {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(1);

  // Remembers the files as they are now; read them after this, not before.
  FileWatch(std::vector<std::string> paths, absl::Time now);

  // True when a file is not what it was when this last said so.
  bool Changed(absl::Time now);

 private:
  // Device, inode, size and time of the last change; zeros where there is no file.
  using Stamp = std::array<int64_t, 5>;
  std::vector<Stamp> Look() const;

  const std::vector<std::string> paths_;
  std::vector<Stamp> seen_;
  absl::Time next_look_;
};

// Whether users other than the owner and the group may read the file.
bool ReadableByAll(const std::string& path);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_FILE_WATCH_H_
