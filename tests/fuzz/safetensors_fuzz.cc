// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

#include "core/weights/model_config.h"
#include "core/weights/safetensors.h"
#include "tests/fuzz/use_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto table = objectdino::ParseSafetensors(bytes);
  if (table.ok()) {
    // Whatever was accepted fills no more than the input.
    size_t covered = 0;
    for (const auto& [name, view] : table->tensors) covered += view.bytes.size();
    if (covered > size) __builtin_trap();
    objectdino::UseTensors(table->tensors, bytes);
  }
  static_cast<void>(objectdino::ParseModelConfig(bytes));
  static_cast<void>(objectdino::ParseTimmConfig(bytes));
  return 0;
}
