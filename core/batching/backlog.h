// SPDX-License-Identifier: Apache-2.0
// Who may come in: the ledger of admitted requests, which refuses at the door what would not be
// answered in time, while refusing is still cheap.
//
// The limit is time in queue against the deadline, not a number of requests: a number that fits an
// idle machine is far too many once the machine slows down. Enter foresees when each waiting
// request begins: lanes take them in order of urgency (urgency.h), each for the mean service time
// of its class, after what is left of those that run. A request comes in if
//   - fewer than max_queue wait, and, where it has a deadline,
//   - its own expected time fits into the time that it has, and its wait into `headroom` of the
//   rest;
//   - no waiting request with a later deadline is pushed past half of the remaining headroom.
// Waiting requests that can no longer make it are foreseen to be dropped, and cost nothing.
//
// A request enters, then either starts and finishes, or is abandoned. Tickets are this object's
// own, not the queue's. Batches start as one: their tasks share a lane.
//
//   const Backlog::Admission admission = backlog.Enter({deadline, cost_class, tokens},
//   clock.Now()); if (admission.outcome != Backlog::Outcome::kAdmitted)
//   Refuse(admission.retry_after); backlog.Start({admission.ticket}, clock.Now());
//   backlog.Finish(admission.ticket);
//
// Thread-safety: all methods from any thread. Cost: Enter O(waiting x lanes), under 0.1 ms with
// 1,000 waiting; the others O(log waiting + running).
#ifndef OBJECTDINO_CORE_BATCHING_BACKLOG_H_
#define OBJECTDINO_CORE_BATCHING_BACKLOG_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "core/base/mutex.h"
#include "core/batching/service_estimate.h"
#include "core/batching/urgency.h"

namespace objectdino {

struct BacklogOptions {
  int lanes = 1;       // batches that run at a time, >= 1
  int max_queue = 64;  // requests that wait, >= 1: bounds memory, and those without a deadline
  // Share of its slack that a request may be foreseen to wait, (0, 1]. At 1 the queue is as long as
  // the deadline allows to the millisecond, and every service that takes longer than the mean makes
  // a request late that has waited its whole time for nothing. What is kept back also carries the
  // queue over the first moments of a machine that slows down. It costs no throughput as long as
  // deadlines are several service times long.
  double headroom = 0.75;
};

class Backlog {
 public:
  enum class Outcome {
    kAdmitted,
    kQueueFull,  // max_queue requests wait
    kTooLate,    // it would miss its deadline, or make another miss its
  };
  struct Request {
    absl::Time deadline = absl::InfiniteFuture();  // infinite: none
    uint64_t cost_class = 0;
    int64_t tokens = 1;  // >= 1
  };
  struct Admission {
    Outcome outcome = Outcome::kAdmitted;
    Ticket ticket = 0;  // kAdmitted
    // Otherwise: when there should be room for such a request, within [kMinRetry, kPatience].
    absl::Duration retry_after;
  };
  static constexpr absl::Duration kMinRetry = absl::Milliseconds(10);

  // `estimate` must outlive the backlog.
  Backlog(const BacklogOptions& options, const ServiceEstimate& estimate)
      : options_(options), estimate_(estimate) {}

  Admission Enter(const Request& request, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // They are computed from now on, as one batch on one lane. Tickets that do not wait are passed
  // over.
  void Start(absl::Span<const Ticket> batch, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // Its inference is over, well or badly. Of no effect unless it runs.
  void Finish(Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_);

  // It will not be computed: late, cancelled, bad input. Of no effect unless it waits.
  void Abandon(Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t running() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Lanes;
  class Foresight;
  struct Run {
    absl::Time start;
    std::map<Ticket, Request> requests;  // not empty
  };

  // Nothing where the request may come in, else how long until it might.
  absl::Duration LacksLocked(const Request& request, const Urgency& urgency,
                             Foresight& foresight) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Lanes BusyLanesLocked(Foresight& foresight) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const BacklogOptions options_;
  const ServiceEstimate& estimate_;
  mutable Mutex mutex_;
  Ticket last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Urgency, Request> waiting_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<Ticket, Urgency> places_ ABSL_GUARDED_BY(mutex_);  // in waiting_
  std::vector<Run> runs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BATCHING_BACKLOG_H_
