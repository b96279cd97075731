// SPDX-License-Identifier: Apache-2.0
#include "server/in_flight.h"

#include "absl/time/clock.h"

#include "server/request_error.h"

namespace objectdino {

absl::Status InFlight::Enter() {
  const MutexLock lock(mutex_);
  if (closed_) return absl::UnavailableError("the server is draining");
  if (places_taken_ >= limit_) return TooManyInFlight(limit_);
  ++places_taken_;
  ++not_done_;
  return absl::OkStatus();
}

void InFlight::Leave() {
  const MutexLock lock(mutex_);
  --places_taken_;
}

void InFlight::Done() {
  const MutexLock lock(mutex_);
  --not_done_;
  left_.NotifyAll();
}

void InFlight::Close() {
  const MutexLock lock(mutex_);
  closed_ = true;
}

bool InFlight::WaitUntilEmpty(absl::Duration timeout) {
  const MutexLock lock(mutex_);
  const absl::Time deadline = absl::Now() + timeout;
  while (not_done_ > 0 && left_.WaitUntil(mutex_, deadline)) {
  }
  return not_done_ == 0;
}

}  // namespace objectdino
