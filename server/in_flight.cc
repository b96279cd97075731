// SPDX-License-Identifier: Apache-2.0
#include "server/in_flight.h"

#include "server/request_error.h"

namespace objectdino {

absl::Status InFlight::Enter() {
  const absl::MutexLock lock(&mutex_);
  if (closed_) return absl::UnavailableError("the server is draining");
  if (places_taken_ >= limit_) return TooManyInFlight(limit_);
  ++places_taken_;
  ++not_done_;
  return absl::OkStatus();
}

void InFlight::Leave() {
  const absl::MutexLock lock(&mutex_);
  --places_taken_;
}

void InFlight::Done() {
  const absl::MutexLock lock(&mutex_);
  --not_done_;
}

void InFlight::Close() {
  const absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool InFlight::WaitUntilEmpty(absl::Duration timeout) {
  const absl::MutexLock lock(&mutex_);
  const auto empty = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return not_done_ == 0; };
  return mutex_.AwaitWithTimeout(absl::Condition(&empty), timeout);
}

}  // namespace objectdino
