// SPDX-License-Identifier: Apache-2.0
#include "server/file_watch.h"

#include <sys/stat.h>
#include <utility>

namespace objectdino {

FileWatch::FileWatch(std::vector<std::string> paths, absl::Time now)
    : paths_(std::move(paths)), seen_(Look()), next_look_(now + kInterval) {}

bool FileWatch::Changed(absl::Time now) {
  if (now < next_look_) return false;
  next_look_ = now + kInterval;
  std::vector<Stamp> current = Look();
  if (current == seen_) return false;
  seen_ = std::move(current);
  return true;
}

std::vector<FileWatch::Stamp> FileWatch::Look() const {
  std::vector<Stamp> stamps;
  for (const std::string& path : paths_) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
      stamps.push_back({});
      continue;
    }
    stamps.push_back({static_cast<int64_t>(info.st_dev), static_cast<int64_t>(info.st_ino),
                      static_cast<int64_t>(info.st_size), info.st_mtim.tv_sec,
                      info.st_mtim.tv_nsec});
  }
  return stamps;
}

bool ReadableByAll(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0;
}

}  // namespace objectdino
