// SPDX-License-Identifier: Apache-2.0
// Unsigned integers out of bytes of either order. Combined with absl::ClippedSubstr no read can
// leave the bytes: what lies past the end counts as absent. Thread-safety: pure functions.
#ifndef OBJECTDINO_CORE_IMAGE_BYTE_ORDER_H_
#define OBJECTDINO_CORE_IMAGE_BYTE_ORDER_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace objectdino {

// REQUIRES: at most four bytes. No bytes are 0.
inline uint32_t BigEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

inline uint32_t LittleEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_IMAGE_BYTE_ORDER_H_
