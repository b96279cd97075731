// SPDX-License-Identifier: Apache-2.0
// The directory of a zip archive whose members are stored, not compressed, as PyTorch writes them
// (backbones.md 3.5).
//
// Checks: one disk, no encryption, no compression, no duplicate names, every member inside the
// file. The checksums of the members are not verified, as PyTorch does not verify them: they would
// cost a pass over all bytes and are allowed to be left out. Thread-safety: pure function. Cost:
// O(members).
#ifndef OBJECTDINO_CORE_WEIGHTS_ZIP_ARCHIVE_H_
#define OBJECTDINO_CORE_WEIGHTS_ZIP_ARCHIVE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

// Whether the bytes begin as a zip archive does.
bool IsZipArchive(absl::string_view bytes);

// Name -> content, as views into `bytes`. FAILED_PRECONDITION with the reason.
absl::StatusOr<std::map<std::string, absl::string_view>> ParseZipArchive(absl::string_view bytes);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_ZIP_ARCHIVE_H_
