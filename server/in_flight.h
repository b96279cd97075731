// SPDX-License-Identifier: Apache-2.0
// The images in the house, from arrival until their answer is on its way: bounds the memory that
// they hold together, and lets a drain wait for them. Thread-safe.
#ifndef OBJECTDINO_SERVER_IN_FLIGHT_H_
#define OBJECTDINO_SERVER_IN_FLIGHT_H_

#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "core/base/mutex.h"

namespace objectdino {

class InFlight {
 public:
  // An image's place in the house, given back when it is destroyed. Movable; for one thread at a
  // time. The InFlight outlives it.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept;
    ~Place() { Leave(); }

    // What the image holds from now on.
    void Resize(int64_t bytes);
    void Leave();

   private:
    friend class InFlight;
    Place(InFlight* house, int64_t bytes) : house_(house), bytes_(bytes) {}
    InFlight* house_ = nullptr;
    int64_t bytes_ = 0;
  };

  explicit InFlight(int64_t max_bytes) : max_bytes_(max_bytes) {}

  // RESOURCE_EXHAUSTED with a retry delay when the images would hold more than the bound, except in
  // an empty house; UNAVAILABLE after Close.
  absl::StatusOr<Place> Enter(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on Enter answers UNAVAILABLE.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);
  bool closed() const ABSL_LOCKS_EXCLUDED(mutex_);
  // True when every place was given back before the time is over.
  bool WaitUntilEmpty(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  int count() const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t bytes() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const int64_t max_bytes_;
  mutable Mutex mutex_;
  CondVar left_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_IN_FLIGHT_H_
