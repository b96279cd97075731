// SPDX-License-Identifier: Apache-2.0
#include "core/math/random_state.h"

namespace objectdino {

double RandomState::NextDouble() {
  const auto high = static_cast<double>(engine_() >> 5);  // 27 bits
  const auto low = static_cast<double>(engine_() >> 6);   // 26 bits
  return (high * 67108864.0 + low) / 9007199254740992.0;  // 2^26, 2^53
}

}  // namespace objectdino
