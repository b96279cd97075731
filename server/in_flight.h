// SPDX-License-Identifier: Apache-2.0
// How many requests are in the house: bounds them, and lets a drain wait for them.
//
// A request takes a place with Enter, gives it back with Leave once its answer is computed, and is
// over with Done once the answer is on its way; Leave comes first so that a caller who has its
// answer finds a place for its next request. Thread-safe.
#ifndef OBJECTDINO_SERVER_IN_FLIGHT_H_
#define OBJECTDINO_SERVER_IN_FLIGHT_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

#include "core/base/mutex.h"

namespace objectdino {

class InFlight {
 public:
  // A lane's queue holds 1,024 tasks (Eigen's ThreadPool); one more would run on gRPC's thread.
  static constexpr int kMaxLimit = 1000;

  // REQUIRES: 1 <= limit <= kMaxLimit.
  explicit InFlight(int limit) : limit_(limit) {}

  // RESOURCE_EXHAUSTED with a retry delay when no place is free; UNAVAILABLE after Close.
  absl::Status Enter() ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave() ABSL_LOCKS_EXCLUDED(mutex_);
  void Done() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on Enter answers UNAVAILABLE.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);
  // True when every request that entered is done before the time is over.
  bool WaitUntilEmpty(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const int limit_;
  Mutex mutex_;
  CondVar left_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int places_taken_ ABSL_GUARDED_BY(mutex_) = 0;
  int not_done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_IN_FLIGHT_H_
