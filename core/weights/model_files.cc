// SPDX-License-Identifier: Apache-2.0
#include "core/weights/model_files.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxJsonBytes = 64 << 20;
constexpr size_t kMaxShards = 1000;
// What transformers calls them, the first that is there counts; with the ending of their shards.
constexpr std::array<std::pair<absl::string_view, absl::string_view>, 2> kUsualNames = {
    {{"model.safetensors", ".safetensors"}, {"pytorch_model.bin", ".bin"}}};
constexpr absl::string_view kEndings[] = {".safetensors", ".pth", ".pt", ".bin"};

absl::StatusOr<std::string> ReadTextFile(const fs::path& path) {
  absl::StatusOr<std::string> text = ReadFile(path.string(), kMaxJsonBytes);
  if (text.ok()) return text;
  const std::string message = absl::StrCat(path.string(), ": ", text.status().message());
  return absl::IsNotFound(text.status()) ? absl::NotFoundError(message)
                                         : absl::FailedPreconditionError(message);
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// {"weight_map": {"<tensor>": "<file in the same folder>"}}
absl::StatusOr<std::map<std::string, std::string>> ParseShardIndex(const std::string& text,
                                                                   absl::string_view ending) {
  const auto index = nlohmann::json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object() || map->empty()) {
    return absl::FailedPreconditionError("no object 'weight_map'");
  }
  std::map<std::string, std::string> files;
  for (const auto& [tensor, entry] : map->items()) {
    if (!entry.is_string()) return absl::FailedPreconditionError("'weight_map' names no file");
    auto file = entry.get<std::string>();
    // Shards lie beside the index; anything else could point out of the folder.
    if (!absl::EndsWith(file, ending) || absl::StrContains(file, "/") ||
        absl::StrContains(file, absl::string_view("\0", 1))) {
      return absl::FailedPreconditionError(
          absl::StrCat("shard ", QuoteName(file), " is not a plain file name"));
    }
    files.emplace(tensor, std::move(file));
  }
  return files;
}

// The one file of weights in a folder without the usual names.
absl::StatusOr<std::string> OnlyWeightFile(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (std::any_of(std::begin(kEndings), std::end(kEndings),
                    [&name](absl::string_view ending) { return absl::EndsWith(name, ending); })) {
      found.push_back(name);
    }
  }
  if (found.empty()) {
    return absl::NotFoundError(absl::StrCat(
        folder.string(),
        ": no model.safetensors, no model.safetensors.index.json, and no other file of weights"));
  }
  if (found.size() == 1) return found[0];
  std::sort(found.begin(), found.end());
  found.resize(std::min<size_t>(found.size(), 10));
  return absl::FailedPreconditionError(
      absl::StrCat(folder.string(), ": several files of weights, name one of them: ",
                   absl::Utf8SafeCEscape(absl::StrJoin(found, ", "))));
}

absl::Status ListFolder(ModelFiles& model) {
  const fs::path folder(model.folder);
  for (const auto& [name, ending] : kUsualNames) {
    if (Exists(folder / std::string(name))) {
      model.names = {std::string(name)};
      return absl::OkStatus();
    }
    const std::string index_name = absl::StrCat(name, ".index.json");
    if (!Exists(folder / index_name)) continue;
    OBJECTDINO_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(folder / index_name));
    auto index = ParseShardIndex(text, ending);
    if (!index.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(model.PathOf(index_name), ": ", index.status().message()));
    }
    std::set<std::string> names;
    for (const auto& [tensor, file] : *index) names.insert(file);
    if (names.size() > kMaxShards) {
      return absl::FailedPreconditionError(
          absl::StrCat(model.PathOf(index_name), ": too many shards"));
    }
    model.index = *std::move(index);
    model.index_name = index_name;
    model.names.assign(names.begin(), names.end());
    return absl::OkStatus();
  }
  OBJECTDINO_ASSIGN_OR_RETURN(std::string name, OnlyWeightFile(folder));
  model.names = {std::move(name)};
  return absl::OkStatus();
}

}  // namespace

std::string ModelFiles::PathOf(const std::string& name) const {
  return (fs::path(folder) / name).string();
}

absl::StatusOr<ModelFiles> FindModelFiles(const std::string& path) {
  const fs::path root(path);
  std::error_code error;
  const fs::file_status status = fs::status(root, error);
  if (!fs::exists(status)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file or folder"));
  }
  ModelFiles model;
  bool described = true;
  if (fs::is_directory(status)) {
    model.folder = root.string();
    OBJECTDINO_RETURN_IF_ERROR(ListFolder(model));
  } else {
    model.folder = root.parent_path().string();
    model.names = {root.filename().string()};
    described = std::any_of(kUsualNames.begin(), kUsualNames.end(),
                            [&model](const auto& usual) { return usual.first == model.names[0]; });
  }
  if (described && Exists(model.ConfigPath())) {
    OBJECTDINO_ASSIGN_OR_RETURN(model.config, ReadTextFile(model.ConfigPath()));
  }
  return model;
}

absl::Status CheckIndex(const ModelFiles& model,
                        const std::vector<std::unique_ptr<WeightFile>>& files) {
  if (model.index.empty()) return absl::OkStatus();
  const auto bad = [&model](absl::string_view tensor, absl::string_view reason) {
    return absl::FailedPreconditionError(
        absl::StrCat(model.PathOf(model.index_name), ": tensor ", QuoteName(tensor), " ", reason));
  };
  std::map<std::string, const WeightFile*> by_name;
  for (const auto& file : files) {
    const std::string name = fs::path(file->path()).filename().string();
    by_name[name] = file.get();
    for (const auto& [tensor, view] : file->tensors()) {
      const auto found = model.index.find(tensor);
      if (found == model.index.end()) {
        return bad(tensor, absl::StrCat("of ", name, " is not in the index"));
      }
      if (found->second != name) {
        return bad(tensor, absl::StrCat("lies in ", name, ", the index says ", found->second));
      }
    }
  }
  for (const auto& [tensor, name] : model.index) {
    const auto file = by_name.find(name);
    if (file == by_name.end() || !file->second->tensors().contains(tensor)) {
      return bad(tensor, absl::StrCat("is not in ", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace objectdino
