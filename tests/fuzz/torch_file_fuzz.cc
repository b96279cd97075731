// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"

#include "core/weights/torch_file.h"
#include "core/weights/zip_archive.h"
#include "tests/fuzz/use_tensors.h"

// A zip archive is read as a whole; other bytes are taken for the pickle of one, over some
// storages.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (objectdino::IsZipArchive(bytes)) {
    const auto table = objectdino::ParseTorchFile(bytes);
    if (table.ok()) objectdino::UseTensors(table->tensors, bytes);
    return 0;
  }
  const auto pickle = objectdino::ParsePickle(bytes);
  if (!pickle.ok()) return 0;
  const std::string storage(64, 's');
  const auto table = objectdino::ReadTensors(
      *pickle, {{"0", storage}, {"1", absl::string_view(storage).substr(0, 4)}, {"2", ""}});
  if (table.ok()) objectdino::UseTensors(table->tensors, storage);
  return 0;
}
