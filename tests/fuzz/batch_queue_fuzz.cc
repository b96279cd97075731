// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "tests/support/batch_queue_events.h"

// Bytes as events on a queue, see batch_queue_events.h; traps where it breaks a promise.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string broken = objectdino::testing::BatchQueueEvents({data, size}).Run();
  if (!broken.empty()) {
    std::fprintf(stderr, "broken: %s\n", broken.c_str());
    __builtin_trap();
  }
  return 0;
}
