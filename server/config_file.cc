// SPDX-License-Identifier: Apache-2.0
#include "server/config_file.h"

#include <optional>
#include <toml++/toml.h>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

std::optional<std::string> FlagValue(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return absl::StrCat(number->get());
  if (const auto* number = node.as_floating_point()) return absl::StrCat(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

absl::Status Flatten(const toml::table& table, const std::string& prefix,
                     std::vector<FileEntry>* entries) {
  for (const auto& [name, node] : table) {
    const std::string key = absl::StrCat(prefix, std::string(name.str()));
    if (const toml::table* inner = node.as_table()) {
      OBJECTDINO_RETURN_IF_ERROR(Flatten(*inner, absl::StrCat(key, "-"), entries));
      continue;
    }
    const auto line = static_cast<int>(node.source().begin.line);
    std::optional<std::string> value = FlagValue(node);
    if (!value.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "line ", line, ": '", key, "' must be a string, a number, or true or false"));
    }
    entries->push_back({key, *std::move(value), line});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<FileEntry>> ReadConfigFile(std::istream& file) {
  std::vector<FileEntry> entries;
  try {
    OBJECTDINO_RETURN_IF_ERROR(Flatten(toml::parse(file), "", &entries));
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", error.source().begin.line, ": ", std::string(error.description())));
  }
  return entries;
}

}  // namespace objectdino
