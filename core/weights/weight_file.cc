// SPDX-License-Identifier: Apache-2.0
#include "core/weights/weight_file.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "core/weights/safetensors.h"
#include "core/weights/torch_file.h"
#include "core/weights/zip_archive.h"

namespace objectdino {
namespace {

absl::Status InFile(absl::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WeightFile>> WeightFile::Open(const std::string& path) {
  OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> map, MappedFile::Open(path));
  std::unique_ptr<WeightFile> file(new WeightFile(path, std::move(map)));
  if (IsLegacyTorchFile(file->bytes())) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": written by PyTorch before 1.6; convert it: ", LegacyTorchConversion(path)));
  }
  if (IsZipArchive(file->bytes())) {
    absl::StatusOr<TorchTable> table = ParseTorchFile(file->bytes());
    if (!table.ok()) return InFile(path, table.status());
    file->format_ = WeightFormat::kTorch;
    file->tensors_ = std::move(table->tensors);
    file->part_ = std::move(table->part);
    return file;
  }
  absl::StatusOr<SafetensorsTable> table = ParseSafetensors(file->bytes());
  if (!table.ok()) return InFile(path, table.status());
  file->tensors_ = std::move(table->tensors);
  return file;
}

}  // namespace objectdino
