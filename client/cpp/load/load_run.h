// SPDX-License-Identifier: Apache-2.0
// Runs a load: sends requests by callers that wait for their answers (closed loop) or when they are
// due (open loop), and records what became of each.
//
// A request of an open loop begins when it is due, not when it is sent: a generator or a server
// that stalls shows in the latency of all that were due meanwhile. With retries, a request begins
// with its first attempt and ends with the last answer.
//
// Tried again, with `retry`, inside the deadline: UNAVAILABLE, after a growing pause, and
// RESOURCE_EXHAUSTED where the server says when to come back.
//
// Thread-safety: one thread calls Run, once.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_LOAD_RUN_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_LOAD_RUN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"

#include "client/cpp/load/agenda.h"
#include "client/cpp/load/load_options.h"
#include "client/cpp/load/load_random.h"
#include "client/cpp/load/outcome.h"
#include "client/cpp/load/poisson_arrivals.h"
#include "client/cpp/load/run_clock.h"
#include "client/cpp/load/transport.h"
#include "client/cpp/load/workload.h"
#include "core/base/mutex.h"

namespace objectdino {

class LoadRun {
 public:
  using MakeTransport = std::function<std::unique_ptr<Transport>(Transport::Done)>;

  // REQUIRES: options.Validate() is OK. `options` and `workload` outlive it.
  LoadRun(const LoadOptions& options, Workload& workload, const MakeTransport& make_transport);

  // To the end of the load; when `interrupted` becomes true, sends nothing more, and waits for what
  // is out, at most its deadline or 5 seconds.
  LoadRecord Run(const std::atomic<bool>& interrupted);

 private:
  // The next request of an open loop, and its time.
  void Arrive(absl::Duration due);
  void PlanArrival();
  // The next request of a caller of a closed loop.
  void Call(size_t caller);
  // Nothing: the load is at its end.
  std::unique_ptr<LoadRequest> NextLocked(size_t caller, absl::Duration due)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(std::unique_ptr<LoadRequest> request);
  void StartAttempt(std::unique_ptr<LoadRequest> request);
  void OnAnswer(std::unique_ptr<LoadRequest> request, const LoadAnswer& answer);
  // How long to wait before the next attempt; nothing: the answer stands.
  std::optional<absl::Duration> RetryPause(const LoadRequest& request, const LoadAnswer& answer,
                                           absl::Duration now);
  void Record(const LoadRequest& request, const LoadAnswer& answer, absl::Duration now);
  // Whether nothing new will be sent from `now` on.
  bool IsOverLocked(absl::Duration now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitForEnd(const std::atomic<bool>& interrupted);
  absl::Duration EndOfCountingLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LoadOptions& options_;
  const RunClock clock_;
  const absl::Duration warmup_;
  const absl::Duration planned_end_;  // infinite where requests are counted

  Mutex mutex_;
  CondVar changed_;
  Workload& workload_ ABSL_GUARDED_BY(mutex_);
  PoissonArrivals arrivals_ ABSL_GUARDED_BY(mutex_);
  LoadRandom jitter_ ABSL_GUARDED_BY(mutex_);
  LoadRecord record_ ABSL_GUARDED_BY(mutex_);
  uint64_t requests_ ABSL_GUARDED_BY(mutex_) = 0;  // ever made
  size_t counted_ ABSL_GUARDED_BY(mutex_) = 0;     // of those, after the warm-up
  bool arriving_ ABSL_GUARDED_BY(mutex_) = false;  // an open loop that is not at its end
  size_t out_ ABSL_GUARDED_BY(mutex_) = 0;         // sent and not yet recorded
  std::atomic<bool> stopping_ = false;             // no new request, no new attempt
  std::atomic<bool> giving_up_ = false;            // what ends now is unfinished
  std::atomic<size_t> attempts_ = 0;

  std::unique_ptr<Transport> transport_;
  Agenda agenda_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_LOAD_RUN_H_
