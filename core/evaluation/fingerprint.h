// SPDX-License-Identifier: Apache-2.0
// A 64-bit hash (FNV-1a) that is the same in every run and build, to tell one thing from another;
// not against forgers.
// Thread-safety: none; a plain value.
#ifndef OBJECTDINO_CORE_EVALUATION_FINGERPRINT_H_
#define OBJECTDINO_CORE_EVALUATION_FINGERPRINT_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace objectdino {

class Fingerprint {
 public:
  Fingerprint& Add(absl::string_view bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<uint8_t>(byte)) * kPrime;
    return *this;
  }
  uint64_t value() const { return value_; }

 private:
  static constexpr uint64_t kPrime = 0x100000001b3;
  uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_FINGERPRINT_H_
