// SPDX-License-Identifier: Apache-2.0
// A clock that stands still until a test moves it. Thread-safe.
#ifndef OBJECTDINO_TESTS_SUPPORT_FAKE_CLOCK_H_
#define OBJECTDINO_TESTS_SUPPORT_FAKE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace objectdino::testing {

class FakeClock final : public Clock {
 public:
  absl::Time Now() const override {
    const MutexLock lock(mutex_);
    return now_;
  }
  void Set(absl::Time now) {
    const MutexLock lock(mutex_);
    now_ = now;
  }
  void Advance(absl::Duration by) {
    const MutexLock lock(mutex_);
    now_ += by;
  }

 private:
  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'000'000'000);
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_FAKE_CLOCK_H_
