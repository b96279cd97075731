// SPDX-License-Identifier: Apache-2.0
#include "core/weights/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <numeric>
#include <openssl/evp.h>
#include <optional>
#include <utility>

#include "ATen/ops/empty.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "core/base/status_macros.h"
#include "core/weights/model_files.h"

namespace objectdino {
namespace {

// Bytes hashed before their pages are let go.
constexpr size_t kDigestStep = size_t{16} << 20;
// Elements in the buffer of conversions: small enough that its freeing leaves the heap as it is.
constexpr int64_t kConvertStep = int64_t{1} << 15;

absl::StatusOr<std::string> Sha256(const std::vector<std::unique_ptr<WeightFile>>& files) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  bool ok = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const auto& file : files) {
    for (size_t place = 0; place < file->bytes().size(); place += kDigestStep) {
      const absl::string_view step = file->bytes().substr(place, kDigestStep);
      ok = ok && EVP_DigestUpdate(context.get(), step.data(), step.size()) == 1;
      file->ReleasePages();
    }
  }
  std::array<char, EVP_MAX_MD_SIZE> digest = {};
  unsigned int size = 0;
  ok = ok && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest.data()),
                                &size) == 1;
  if (!ok) return absl::InternalError("SHA-256 failed");
  return absl::BytesToHexString(absl::string_view(digest.data(), size));
}

absl::Status InFile(absl::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

// The config of a model: its description where there is one of Hugging Face's, else the tensors.
absl::StatusOr<ModelConfig> ReadConfig(const ModelFiles& files, const ModelTensors& tensors,
                                       NameStyle style) {
  std::optional<TimmConfig> timm;
  if (files.config) {
    auto parsed = ParseTimmConfig(*files.config);
    if (!parsed.ok()) return InFile(files.ConfigPath(), parsed.status());
    timm = *parsed;
  }
  ModelConfig config;
  if (files.config && !timm) {
    auto parsed = ParseModelConfig(*files.config);
    if (!parsed.ok()) return InFile(files.ConfigPath(), parsed.status());
    config = *std::move(parsed);
    const absl::Status fits = tensors.CheckAgainst(style, config);
    if (!fits.ok()) return InFile(files.ConfigPath(), fits);
  } else {
    auto detected = tensors.Detect(style);
    if (!detected.ok()) return InFile(files.PathOf(files.names[0]), detected.status());
    config = *std::move(detected);
  }
  if (timm) {
    config.random_weights = timm->random_weights;
    if (timm->width != 0 && timm->width != config.width) {
      return absl::FailedPreconditionError(
          absl::StrCat(files.ConfigPath(), ": config key 'num_features' says ", timm->width,
                       ", but the tensors are ", config.width, " wide"));
    }
  }
  config.layout = LayoutName(style);
  config.position = PositionRuleOf(style, config);
  config.file_periods = tensors.HasOwnPeriods(style, config);
  return config;
}

std::string Describe(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::StatusOr<at::ScalarType> CheckPiece(const TensorPiece& piece) {
  const std::string name = QuoteName(piece.name);
  if (piece.view == nullptr) {
    if (piece.zeros) return at::kFloat;
    return absl::FailedPreconditionError(
        absl::StrCat("tensor ", name, " is missing from the model"));
  }
  const std::string found = DescribeTensor(*piece.view);
  if (piece.view->shape != piece.shape) {
    return absl::FailedPreconditionError(
        absl::StrCat("tensor ", name, " is ", found, ", expected ", Describe(piece.shape)));
  }
  switch (piece.view->type) {
    case DataType::kF32:
      return at::kFloat;
    case DataType::kF16:
      return at::kHalf;
    case DataType::kBf16:
      return at::kBFloat16;
    default:
      return absl::FailedPreconditionError(
          absl::StrCat("tensor ", name, " is ", found, ", expected F32, F16 or BF16"));
  }
}

// Writes a piece to `out`, which is flat and of its size. Through a small buffer where bytes have
// to be converted, since the file promises no alignment.
void CopyPiece(const TensorPiece& piece, at::ScalarType type, const at::Tensor& out) {
  if (piece.view == nullptr) {
    out.zero_();
    return;
  }
  const TensorView& view = *piece.view;
  const int size = DataTypeSize(view.type);
  const int64_t elements = static_cast<int64_t>(view.bytes.size()) / size;
  if (!view.strides.empty()) {
    const at::Tensor raw = at::empty({elements}, type);
    std::memcpy(raw.data_ptr(), view.bytes.data(), view.bytes.size());
    out.view(view.shape).copy_(raw.as_strided(view.shape, view.strides));
    return;
  }
  if (type == at::kFloat) {
    if (elements > 0) std::memcpy(out.data_ptr(), view.bytes.data(), view.bytes.size());
    return;
  }
  const at::Tensor buffer = at::empty({std::min(elements, kConvertStep)}, type);
  for (int64_t place = 0; place < elements; place += kConvertStep) {
    const int64_t count = std::min(kConvertStep, elements - place);
    std::memcpy(buffer.data_ptr(), view.bytes.data() + place * size,
                static_cast<size_t>(count * size));
    out.narrow(0, place, count).copy_(buffer.narrow(0, 0, count));
  }
}

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::Open(const std::string& path) {
  OBJECTDINO_ASSIGN_OR_RETURN(const ModelFiles files, FindModelFiles(path));
  Checkpoint checkpoint;
  for (const std::string& name : files.names) {
    OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<WeightFile> file,
                                WeightFile::Open(files.PathOf(name)));
    OBJECTDINO_RETURN_IF_ERROR(
        checkpoint.tensors_.Add(file->path(), file->format(), file->tensors()));
    checkpoint.files_.push_back(std::move(file));
  }
  OBJECTDINO_RETURN_IF_ERROR(CheckIndex(files, checkpoint.files_));
  const absl::StatusOr<NameStyle> style = checkpoint.tensors_.Style();
  if (!style.ok()) return InFile(path, style.status());
  checkpoint.style_ = *style;
  OBJECTDINO_ASSIGN_OR_RETURN(checkpoint.config_, ReadConfig(files, checkpoint.tensors_, *style));
  OBJECTDINO_ASSIGN_OR_RETURN(checkpoint.digest_, Sha256(checkpoint.files_));
  return checkpoint;
}

absl::StatusOr<at::Tensor> Checkpoint::Get(absl::string_view name,
                                           const std::vector<int64_t>& shape) const {
  const TensorRecipe recipe = tensors_.Recipe(style_, {std::string(name), shape});
  std::vector<at::ScalarType> types;
  for (const TensorPiece& piece : recipe.pieces) {
    OBJECTDINO_ASSIGN_OR_RETURN(const at::ScalarType type, CheckPiece(piece));
    types.push_back(type);
  }
  const at::Tensor tensor = at::empty(shape, at::kFloat);
  const at::Tensor flat = tensor.view(-1);
  int64_t place = 0;
  for (size_t i = 0; i < recipe.pieces.size(); ++i) {
    const TensorPiece& piece = recipe.pieces[i];
    const int64_t count = std::accumulate(piece.shape.begin(), piece.shape.end(), int64_t{1},
                                          std::multiplies<int64_t>());
    CopyPiece(piece, types[i], flat.narrow(0, place, count));
    place += count;
    // Or a model would be in memory twice while it is loaded: as file pages and as tensors.
    for (const auto& file : files_) file->ReleasePages();
  }
  if (recipe.mask_keys) tensor.narrow(0, shape[0] / 3, shape[0] / 3).zero_();
  return tensor;
}

}  // namespace objectdino
