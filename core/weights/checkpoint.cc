// SPDX-License-Identifier: Apache-2.0
#include "core/weights/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <openssl/evp.h>
#include <set>
#include <system_error>
#include <utility>

#include "ATen/ops/empty.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxJsonBytes = 64 << 20;
constexpr size_t kMaxShards = 1000;
constexpr absl::string_view kPrefixes[] = {"dinov2_with_registers.", "dinov2.", "vit."};

absl::string_view StripKnownPrefix(absl::string_view name) {
  for (const absl::string_view prefix : kPrefixes) {
    if (absl::ConsumePrefix(&name, prefix)) break;
  }
  return name;
}

absl::StatusOr<std::string> ReadTextFile(const fs::path& path) {
  absl::StatusOr<std::string> text = ReadFile(path.string(), kMaxJsonBytes);
  if (text.ok()) return text;
  const std::string message = absl::StrCat(path.string(), ": ", text.status().message());
  return absl::IsNotFound(text.status()) ? absl::NotFoundError(message)
                                         : absl::FailedPreconditionError(message);
}

// {"weight_map": {"<tensor>": "<file in the same folder>"}} -> the files, sorted.
absl::StatusOr<std::set<std::string>> ParseShardIndex(const std::string& text) {
  const auto index = nlohmann::json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object() || map->empty()) {
    return absl::FailedPreconditionError("no object 'weight_map'");
  }
  std::set<std::string> files;
  for (const auto& entry : *map) {
    if (!entry.is_string()) return absl::FailedPreconditionError("'weight_map' names no file");
    auto file = entry.get<std::string>();
    // Shards lie beside the index; anything else could point out of the folder.
    if (!absl::EndsWith(file, ".safetensors") || absl::StrContains(file, "/") ||
        absl::StrContains(file, absl::string_view("\0", 1))) {
      return absl::FailedPreconditionError(
          absl::StrCat("shard '", absl::Utf8SafeCEscape(file), "' is not a plain file name"));
    }
    files.insert(std::move(file));
    if (files.size() > kMaxShards) return absl::FailedPreconditionError("too many shards");
  }
  return files;
}

absl::StatusOr<std::set<std::string>> ListWeightFiles(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "model.safetensors", error))
    return std::set<std::string>{"model.safetensors"};
  const fs::path index_path = folder / "model.safetensors.index.json";
  if (!fs::exists(index_path, error)) {
    return absl::NotFoundError(absl::StrCat(
        folder.string(), ": no model.safetensors and no model.safetensors.index.json"));
  }
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(index_path));
  absl::StatusOr<std::set<std::string>> files = ParseShardIndex(text);
  if (!files.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(index_path.string(), ": ", files.status().message()));
  }
  return files;
}

absl::StatusOr<std::string> Sha256(const std::vector<std::unique_ptr<SafetensorsFile>>& files) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  bool ok = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const auto& file : files) {
    ok = ok && EVP_DigestUpdate(context.get(), file->bytes().data(), file->bytes().size()) == 1;
    file->ReleasePages();
  }
  std::array<char, EVP_MAX_MD_SIZE> digest = {};
  unsigned int size = 0;
  ok = ok && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()),
                                &size) == 1;
  if (!ok) return absl::InternalError("SHA-256 failed");
  return absl::BytesToHexString(absl::string_view(digest.data(), size));
}

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::string& folder) {
  const fs::path root(folder);
  const fs::path config_path = root / "config.json";
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string config_text, ReadTextFile(config_path));
  absl::StatusOr<ModelConfig> config = ParseModelConfig(config_text);
  if (!config.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(config_path.string(), ": ", config.status().message()));
  }

  Checkpoint checkpoint;
  checkpoint.config_ = *std::move(config);
  OBJECTDINO_ASSIGN_OR_RETURN(const std::set<std::string> names, ListWeightFiles(root));
  for (const std::string& name : names) {
    OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsFile> file,
                                SafetensorsFile::Open((root / name).string()));
    for (const auto& [tensor_name, view] : file->table().tensors) {
      const std::string key(StripKnownPrefix(tensor_name));
      if (!checkpoint.tensors_.emplace(key, &view).second) {
        return absl::FailedPreconditionError(absl::StrCat((root / name).string(), ": tensor '",
                                                          absl::Utf8SafeCEscape(key),
                                                          "' appears twice in the model"));
      }
    }
    checkpoint.files_.push_back(std::move(file));
  }
  OBJECTDINO_ASSIGN_OR_RETURN(checkpoint.digest_, Sha256(checkpoint.files_));
  return checkpoint;
}

absl::StatusOr<at::Tensor> Checkpoint::Get(absl::string_view name,
                                           const std::vector<int64_t>& shape) const {
  const auto position = tensors_.find(std::string(name));
  if (position == tensors_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("tensor '", name, "' is missing from the model"));
  }
  const TensorView& view = *position->second;
  if (view.shape != shape) {
    return absl::FailedPreconditionError(absl::StrCat("tensor '", name, "' is ",
                                                      DescribeTensor(view), ", expected [",
                                                      absl::StrJoin(shape, ", "), "]"));
  }
  at::ScalarType type = at::kFloat;
  if (view.type == DataType::kF16) {
    type = at::kHalf;
  } else if (view.type == DataType::kBf16) {
    type = at::kBFloat16;
  } else if (view.type != DataType::kF32) {
    return absl::FailedPreconditionError(absl::StrCat(
        "tensor '", name, "' is ", DescribeTensor(view), ", expected F32, F16 or BF16"));
  }
  // Copied before it is converted: the file promises no alignment.
  const at::Tensor raw = at::empty(shape, type);
  if (!view.bytes.empty()) std::memcpy(raw.data_ptr(), view.bytes.data(), view.bytes.size());
  // Or a model would be in memory twice while it is loaded: as file pages and as tensors.
  for (const auto& file : files_) file->ReleasePages();
  return raw.to(at::kFloat);
}

}  // namespace objectdino
