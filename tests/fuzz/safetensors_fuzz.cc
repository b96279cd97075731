// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "absl/strings/string_view.h"

#include "core/weights/model_config.h"
#include "core/weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto table = objectdino::ParseSafetensors(bytes);
  size_t covered = 0;
  if (table.ok()) {
    // Whatever was accepted can be read, and fills no more than the input.
    for (const auto& [name, view] : table->tensors) {
      covered += view.bytes.size();
      const volatile int sum = std::accumulate(view.bytes.begin(), view.bytes.end(), 0);
      static_cast<void>(sum);
    }
  }
  if (covered > size) __builtin_trap();
  static_cast<void>(objectdino::ParseModelConfig(bytes));
  return 0;
}
