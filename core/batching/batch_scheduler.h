// SPDX-License-Identifier: Apache-2.0
// The batcher that many threads share: producers add tasks, lanes take batches.
//
// What goes into a batch, and when, is BatchQueue's policy; read batch_queue.h. This class adds the
// lock, the clock, and lanes that wait.
//
// Latency bound. While a lane waits in Take, a task leaves at most max_delay after it was added (at
// once with max_delay 0), plus the time the system needs to wake a thread. While all lanes compute,
// it leaves when it is its turn and a lane asks.
//
// Threads. All methods from any thread. A lane is a thread that calls Take in a loop; there should
// be as many as BatchLimits::lanes. Add, Remove and TryTake never block for longer than another
// call's bookkeeping. The lock is held while `expected` is asked and while tasks are moved, and
// never while a task is destroyed; `expected` must not call the scheduler.
//
// Ownership. A task is the scheduler's from Add to Take or Remove. One that a lane has taken is the
// lane's alone: Remove then says so, and who cancels must tell the lane by other means.
//
//   BatchScheduler<Work> scheduler({.max_batch = 8, .lanes = 2}, expected_time);
//   // a producer:
//   const std::optional<Ticket> ticket = scheduler.Add({bucket, tokens, deadline}, work);
//   if (!ticket) Refuse(work);                            // closed; `work` is untouched
//   // its client leaves:
//   if (auto work = scheduler.Remove(*ticket)) Cancel(*work);
//   // a lane:
//   for (;;) {
//     auto taken = scheduler.Take();
//     if (taken.closed) break;
//     for (Work& work : taken.late) Expire(work);
//     if (!taken.tasks.empty()) Compute(taken.tasks);
//   }
#ifndef OBJECTDINO_CORE_BATCHING_BATCH_SCHEDULER_H_
#define OBJECTDINO_CORE_BATCHING_BATCH_SCHEDULER_H_

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/batching/batch.h"
#include "core/batching/batch_queue.h"
#include "core/batching/urgency.h"

namespace objectdino {

template <typename Task>
class BatchScheduler {
 public:
  struct Taken : Batch<Task> {
    bool closed = false;  // Close was called and nothing is left; both lists are empty
  };

  // `clock` must outlive the scheduler. Waits take real time, whatever the clock says: a test with
  // a clock of its own calls TryTake.
  explicit BatchScheduler(const BatchLimits& limits, ExpectedTime expected = nullptr,
                          const Clock& clock = Clock::Real())
      : clock_(clock), queue_(limits, std::move(expected)) {}

  // Nothing after Close; `task` is then not moved from.
  std::optional<Ticket> Add(const TaskTraits& traits, Task&& task) ABSL_LOCKS_EXCLUDED(mutex_);

  // The task, if no lane has taken it.
  std::optional<Task> Remove(Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until there are tasks to compute, or late ones to answer, or `closed`.
  Taken Take() ABSL_LOCKS_EXCLUDED(mutex_);

  // The same without waiting: all empty where Take would wait, with the time until which.
  Taken TryTake() ABSL_LOCKS_EXCLUDED(mutex_);

  // No more tasks. Lanes get what is queued, without delay, and then `closed`. May be called again.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  size_t depth() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Taken TakeLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar changed_;  // something was added, or a lane left something behind, or closed_
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  BatchQueue<Task> queue_ ABSL_GUARDED_BY(mutex_);
};

// Users of the scheduler need not read on.

template <typename Task>
std::optional<Ticket> BatchScheduler<Task>::Add(const TaskTraits& traits, Task&& task) {
  const MutexLock lock(mutex_);
  if (closed_) return std::nullopt;
  const Ticket ticket = queue_.Add(traits, std::move(task), clock_.Now());
  changed_.NotifyOne();
  return ticket;
}

template <typename Task>
std::optional<Task> BatchScheduler<Task>::Remove(Ticket ticket) {
  const MutexLock lock(mutex_);
  return queue_.Remove(ticket);
}

template <typename Task>
typename BatchScheduler<Task>::Taken BatchScheduler<Task>::Take() {
  const MutexLock lock(mutex_);
  for (;;) {
    const absl::Time now = clock_.Now();
    Taken taken = TakeLocked(now);
    if (taken.closed || !taken.tasks.empty() || !taken.late.empty()) return taken;
    if (taken.wake_up == absl::InfiniteFuture()) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitUntil(mutex_, absl::Now() + (taken.wake_up - now));
    }
  }
}

template <typename Task>
typename BatchScheduler<Task>::Taken BatchScheduler<Task>::TryTake() {
  const MutexLock lock(mutex_);
  return TakeLocked(clock_.Now());
}

template <typename Task>
void BatchScheduler<Task>::Close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  queue_.Drain();
  changed_.NotifyAll();
}

template <typename Task>
size_t BatchScheduler<Task>::depth() const {
  const MutexLock lock(mutex_);
  return queue_.depth();
}

template <typename Task>
typename BatchScheduler<Task>::Taken BatchScheduler<Task>::TakeLocked(absl::Time now) {
  Taken taken{queue_.NextBatch(now)};
  const bool took = !taken.tasks.empty() || !taken.late.empty();
  taken.closed = closed_ && !took;  // a drain holds nothing back
  // Another lane looks after what is left: it may be ready, or its time to wake up was only ours.
  if (took && queue_.depth() > 0) changed_.NotifyOne();
  return taken;
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BATCHING_BATCH_SCHEDULER_H_
