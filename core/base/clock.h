// SPDX-License-Identifier: Apache-2.0
// What time it is, so that a test can say so.
//
//   explicit BatchScheduler(..., const Clock& clock = Clock::Real());
//
// Thread-safety: Now may be called from any thread. A clock may be set back; who subtracts two
// times bears a negative difference.
#ifndef OBJECTDINO_CORE_BASE_CLOCK_H_
#define OBJECTDINO_CORE_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace objectdino {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;

  // The system's clock, on which gRPC's deadlines are; never destroyed.
  static const Clock& Real();
};

inline const Clock& Clock::Real() {
  class SystemClock final : public Clock {
   public:
    absl::Time Now() const override { return absl::Now(); }
  };
  static const auto* const clock = new SystemClock;
  return *clock;
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BASE_CLOCK_H_
