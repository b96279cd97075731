// SPDX-License-Identifier: Apache-2.0
#include "server/in_flight.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "server/request_error.h"

namespace objectdino {
namespace {

// About the time of one image on one core: by then another has left.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(200);

}  // namespace

InFlight::Place& InFlight::Place::operator=(Place&& other) noexcept {
  if (this == &other) return *this;
  Leave();
  house_ = std::exchange(other.house_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void InFlight::Place::Resize(int64_t bytes) {
  if (house_ == nullptr) return;
  const MutexLock lock(house_->mutex_);
  house_->bytes_ += bytes - std::exchange(bytes_, bytes);
}

void InFlight::Place::Leave() {
  InFlight* const house = std::exchange(house_, nullptr);
  if (house == nullptr) return;
  const MutexLock lock(house->mutex_);
  house->bytes_ -= std::exchange(bytes_, 0);
  --house->count_;
  house->left_.NotifyAll();
}

absl::StatusOr<InFlight::Place> InFlight::Enter(int64_t bytes) {
  const MutexLock lock(mutex_);
  if (closed_) return absl::UnavailableError("the server is draining");
  if (count_ > 0 && bytes_ + bytes > max_bytes_) {
    return ComeBackLater(absl::StrCat("the requests in flight hold ", bytes_, " bytes, with ",
                                      bytes, " more they would pass the limit of ", max_bytes_),
                         kRetryDelay);
  }
  bytes_ += bytes;
  ++count_;
  return Place(this, bytes);
}

void InFlight::Close() {
  const MutexLock lock(mutex_);
  closed_ = true;
}

bool InFlight::closed() const {
  const MutexLock lock(mutex_);
  return closed_;
}

bool InFlight::WaitUntilEmpty(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  const MutexLock lock(mutex_);
  while (count_ > 0 && left_.WaitUntil(mutex_, deadline)) {
  }
  return count_ == 0;
}

int InFlight::count() const {
  const MutexLock lock(mutex_);
  return count_;
}

int64_t InFlight::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace objectdino
