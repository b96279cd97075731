// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/image_list.h"

#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "core/base/read_file.h"

namespace objectdino {

absl::StatusOr<ImageList> ImageList::Read(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) {
    return absl::Status(text.status().code(), absl::StrCat(path, ": ", text.status().message()));
  }
  ImageList list;
  list.path_ = path;
  int number = 0;
  for (const absl::string_view raw : absl::StrSplit(*text, '\n')) {
    ++number;
    absl::string_view name = absl::StripAsciiWhitespace(raw);
    if (name.empty()) continue;
    name = name.substr(name.rfind('/') + 1);  // npos + 1 is 0
    if (!list.entries_.emplace(name, Entry{number}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": '", name, "' is listed for the second time"));
    }
  }
  if (list.entries_.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": is empty"));
  return list;
}

bool ImageList::Contains(absl::string_view file_name, absl::string_view id) {
  const std::filesystem::path path{std::string(file_name)};
  // All of them are tried: an image may be listed by more than one of its names.
  const bool by_name = Find(path.filename().string());
  const bool by_stem = Find(path.stem().string());
  const bool by_id = !id.empty() && Find(id);
  return by_name || by_stem || by_id;
}

bool ImageList::Find(absl::string_view name) {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) return false;
  entry->second.found = true;
  return true;
}

absl::Status ImageList::CheckAllFound() const {
  const std::pair<const std::string, Entry>* first = nullptr;
  for (const auto& entry : entries_) {
    if (!entry.second.found && (first == nullptr || entry.second.line < first->second.line)) {
      first = &entry;
    }
  }
  if (first == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path_, ":", first->second.line, ": '",
                                                 first->first, "' is no image of the data set"));
}

}  // namespace objectdino
