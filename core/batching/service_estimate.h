// SPDX-License-Identifier: Apache-2.0
// How long an inference takes, learnt while serving: what admission and the queue judge deadlines
// by.
//
// Work is told apart by cost class (patch grid and whatever else decides the time). Of each class
// it keeps a running mean and a running mean deviation, with the gains of TCP's retransmission
// timer (Jacobson 1988: 1/8 and 1/4), so that it follows a machine that slows down within a few
// observations. Three things differ, because an estimate that is too high refuses all work, and
// then nothing comes to correct it:
//   - An observation counts for at most twice what was expected. One outlier moves little; a true
//     change passes, since what is expected widens with each that is cut.
//   - A fall widens the deviation by 1/32 only, so that a machine that recovers is trusted at once.
//   - A class that is not observed any more is thought ever faster, down to about the fastest that
//     it has been, after a second and two service times of silence, by halves a second. So a door
//     that was shut opens by itself, for a probe. What follows the silence starts the class anew.
//     The second observation of a class replaces the first if it is faster: first runs are slow.
//
//   estimate.Observe(cost_class, tokens, batch_time / batch_size);
//   if (now + estimate.Expected(cost_class, tokens) > deadline) { ... }
//
// Thread-safety: all methods from any thread. Cost: O(kMaxClasses) a call, well under 1 us.
#ifndef OBJECTDINO_CORE_BATCHING_SERVICE_ESTIMATE_H_
#define OBJECTDINO_CORE_BATCHING_SERVICE_ESTIMATE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace objectdino {

class ServiceEstimate {
 public:
  // Beyond it, the class that was observed longest ago is forgotten.
  static constexpr size_t kMaxClasses = 64;

  // `clock` must outlive the estimate.
  explicit ServiceEstimate(const Clock& clock = Clock::Real()) : clock_(clock) {}

  // An inference of that class took `per_task`: a batch's time over its tasks. Only what ran to its
  // end counts. REQUIRES: tokens >= 1. Times that are negative or infinite are left out.
  void Observe(uint64_t cost_class, int64_t tokens, absl::Duration per_task)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What to allow for one task: mean + kMargin deviations. A class never seen takes the fastest
  // time per token of the class nearest in tokens: trying it corrects a hope, refusing it does not
  // correct a fear. Zero where nothing was ever observed: unknown, try. REQUIRES: tokens >= 1.
  absl::Duration Expected(uint64_t cost_class, int64_t tokens) const ABSL_LOCKS_EXCLUDED(mutex_);

  // What one task takes on average: for sums over many, where errors even out. A class never seen
  // takes the mean time per token of the nearest; zero where nothing was ever observed.
  absl::Duration Mean(uint64_t cost_class, int64_t tokens) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Class {
    uint64_t id = 0;
    int64_t tokens = 1;
    int64_t observations = 0;
    uint64_t last_turn = 0;  // turn_ when last observed
    absl::Time last_time;
    // Seconds.
    double mean = 0;
    double deviation = 0;
    double fastest = 0;

    double Expected() const;
  };

  Class& FindOrAddLocked(uint64_t cost_class) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Class* FindLocked(uint64_t cost_class) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Class* NearestLocked(int64_t tokens) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  static double TrustAt(const Class& known, absl::Time now);
  static double Aged(const Class& known, double seconds, absl::Time now);

  const Clock& clock_;
  mutable Mutex mutex_;
  uint64_t turn_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Class> classes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BATCHING_SERVICE_ESTIMATE_H_
