// SPDX-License-Identifier: Apache-2.0
// Ends calls whose caller does not read its answer: the answer would stay in memory for as long as
// the caller likes. Thread-safe.
#ifndef OBJECTDINO_SERVER_SLOW_READERS_H_
#define OBJECTDINO_SERVER_SLOW_READERS_H_

#include <functional>
#include <map>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

#include "core/base/mutex.h"

namespace objectdino {

class SlowReaders {
 public:
  // An answer that is not sent `timeout` after it was begun ends its call, at most a quarter of
  // that later. REQUIRES: timeout > 0.
  explicit SlowReaders(absl::Duration timeout);
  ~SlowReaders();

  // `answer` is on its way; `end` ends its call.
  void Begin(const void* answer, std::function<void()> end) ABSL_LOCKS_EXCLUDED(mutex_);
  // It is sent, or its call is over: when this returns, `end` is not called any more. No-op for an
  // answer that is not known.
  void End(const void* answer) ABSL_NO_THREAD_SAFETY_ANALYSIS;

 private:
  struct Sending {
    absl::Time since;
    std::function<void()> end;
  };
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  void EraseLocked(const void* answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The `end` of one overdue answer; null when there is none.
  std::function<void()> TakeOverdueLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration timeout_;
  Mutex mutex_;
  CondVar stopped_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<const void*, Sending> sending_ ABSL_GUARDED_BY(mutex_);
  std::thread watcher_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_SLOW_READERS_H_
