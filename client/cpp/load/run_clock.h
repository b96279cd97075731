// SPDX-License-Identifier: Apache-2.0
// Time since the start of a run, which no change of the wall clock moves.
// Thread-safety: immutable.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_RUN_CLOCK_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_RUN_CLOCK_H_

#include <chrono>

#include "absl/time/time.h"

namespace objectdino {

class RunClock {
 public:
  absl::Duration Now() const { return absl::FromChrono(std::chrono::steady_clock::now() - start_); }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_RUN_CLOCK_H_
