// SPDX-License-Identifier: Apache-2.0
// A server without threads: admission, queue, estimate and lanes in simulated time.
//
// Requests arrive as a Poisson process whatever becomes of them (open loop). Each lane takes a
// batch whenever it is free; a batch takes the sum of its tasks' times, each the mean of its class
// times 1 +- jitter (uniform), on a machine whose speed may change once.
#ifndef OBJECTDINO_TESTS_CORE_BATCHING_OVERLOAD_SIMULATOR_H_
#define OBJECTDINO_TESTS_CORE_BATCHING_OVERLOAD_SIMULATOR_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "core/batching/backlog.h"
#include "core/batching/batch_queue.h"
#include "core/batching/service_estimate.h"
#include "core/math/random_state.h"
#include "tests/support/fake_clock.h"

namespace objectdino::testing {

struct Traffic {
  double share = 1;  // of the arrivals
  absl::Duration service = absl::Milliseconds(100);
  absl::Duration deadline = absl::Seconds(2);
};

struct Scenario {
  std::vector<Traffic> traffic = std::vector<Traffic>(1);  // shares add up to 1
  double load = 1.5;                                       // arrivals over capacity at full speed
  double jitter = 0.2;                                     // of a service time
  int lanes = 2;
  int max_batch = 1;
  int max_queue = 64;
  absl::Duration length = absl::Seconds(300);
  absl::Duration warm_up = absl::Seconds(5);  // not counted
  // From `changes_at` to `changes_back_at` the machine is as fast as this.
  double changed_speed = 1;
  absl::Duration changes_at = absl::InfiniteDuration();
  absl::Duration changes_back_at = absl::InfiniteDuration();
  // Counted from here on, where it is later than the warm-up.
  absl::Duration counts_from = absl::ZeroDuration();
  uint32_t seed = 1;
};

struct Tally {
  int offered = 0;
  int refused = 0;              // at the door
  int late = 0;                 // admitted, not computed
  int good = 0;                 // answered in time
  int wasted = 0;               // computed, too late
  double work_seconds = 0;      // of good answers, on a machine at full speed
  double capacity_seconds = 0;  // what the lanes could have computed, at full speed

  // Goodput over capacity: the share of the lanes' time that went into answers in time.
  double goodput() const { return work_seconds / capacity_seconds; }
  double wasted_share() const { return 1.0 * wasted / std::max(1, wasted + good); }
  double late_share() const { return 1.0 * late / std::max(1, late + refused); }
};

inline std::ostream& operator<<(std::ostream& out, const Tally& tally) {
  return out << "offered " << tally.offered << ", refused " << tally.refused << ", late "
             << tally.late << ", good " << tally.good << ", wasted " << tally.wasted
             << ", goodput / capacity " << tally.goodput() << ", wasted share "
             << tally.wasted_share() << ", late share " << tally.late_share();
}

class OverloadSimulator {
 public:
  explicit OverloadSimulator(const Scenario& scenario)
      : scenario_(scenario),
        random_(scenario.seed),
        start_(clock_.Now()),
        estimate_(clock_),
        backlog_({scenario.lanes, scenario.max_queue}, estimate_),
        queue_({.max_batch = scenario.max_batch, .lanes = scenario.lanes},
               [this](const TaskTraits& traits) {
                 return estimate_.Expected(traits.bucket, traits.tokens);
               }),
        lanes_(static_cast<size_t>(scenario.lanes)) {}

  Tally Run() {
    double mean_work = 0;
    for (size_t i = 0; i < scenario_.traffic.size(); ++i) {
      const Traffic& traffic = scenario_.traffic[i];
      mean_work += traffic.share * absl::ToDoubleSeconds(traffic.service);
      for (int k = 0; k < 3; ++k) estimate_.Observe(i, Tokens(i), traffic.service);  // warm-up
    }
    const double rate = scenario_.load * scenario_.lanes / mean_work;
    const absl::Time end = start_ + scenario_.length;
    absl::Time arrival = start_;
    while (arrival < end) {
      const Lane* first = FirstToEnd();
      if (first != nullptr && first->ends <= arrival) {
        clock_.Set(first->ends);
      } else {
        clock_.Set(arrival);
        Arrive();
        arrival += absl::Seconds(-std::log(1 - random_.NextDouble()) / rate);
      }
      for (Lane& lane : lanes_) Advance(lane);
    }
    const absl::Time from = start_ + std::max(scenario_.warm_up, scenario_.counts_from);
    tally_.capacity_seconds = scenario_.lanes * Work(from, end);
    return tally_;
  }

 private:
  struct Task {
    size_t traffic;
    Ticket ticket;  // the backlog's
    absl::Time deadline;
    double work;  // seconds at full speed
  };
  struct Lane {
    std::vector<Task> batch;
    absl::Time started;
    absl::Time ends;
  };

  static int64_t Tokens(size_t traffic) { return 256 + static_cast<int64_t>(traffic); }
  bool Counts() const {
    return clock_.Now() - start_ >= std::max(scenario_.warm_up, scenario_.counts_from);
  }
  double SpeedAt(absl::Time time) const {
    const absl::Duration at = time - start_;
    return at >= scenario_.changes_at && at < scenario_.changes_back_at ? scenario_.changed_speed
                                                                        : 1;
  }
  // When the speed changes next.
  absl::Time NextChange(absl::Time time) const {
    if (time < start_ + scenario_.changes_at) return start_ + scenario_.changes_at;
    if (time < start_ + scenario_.changes_back_at) return start_ + scenario_.changes_back_at;
    return absl::InfiniteFuture();
  }
  // What a lane gets done, in seconds at full speed.
  double Work(absl::Time from, absl::Time to) const {
    double work = 0;
    while (from < to) {
      const absl::Time until = std::min(to, NextChange(from));
      work += SpeedAt(from) * absl::ToDoubleSeconds(until - from);
      from = until;
    }
    return work;
  }
  absl::Time EndOf(double work, absl::Time from) const {
    for (;;) {
      const absl::Time change = NextChange(from);
      const absl::Time end = from + absl::Seconds(work / SpeedAt(from));
      if (end <= change) return end;
      work -= Work(from, change);
      from = change;
    }
  }

  const Lane* FirstToEnd() const {
    const Lane* first = nullptr;
    for (const Lane& lane : lanes_) {
      if (!lane.batch.empty() && (first == nullptr || lane.ends < first->ends)) first = &lane;
    }
    return first;
  }

  void Arrive() {
    double draw = random_.NextDouble();
    size_t i = 0;
    while (i + 1 < scenario_.traffic.size() && draw >= scenario_.traffic[i].share) {
      draw -= scenario_.traffic[i++].share;
    }
    const Traffic& traffic = scenario_.traffic[i];
    const double factor = 1 + scenario_.jitter * (2 * random_.NextDouble() - 1);
    const absl::Time now = clock_.Now();
    const absl::Time deadline = now + traffic.deadline;
    tally_.offered += Counts();
    const Backlog::Admission admission = backlog_.Enter({deadline, i, Tokens(i)}, now);
    if (admission.outcome != Backlog::Outcome::kAdmitted) {
      tally_.refused += Counts();
      return;
    }
    queue_.Add({i, Tokens(i), deadline},
               {i, admission.ticket, deadline, factor * absl::ToDoubleSeconds(traffic.service)},
               now);
  }

  // Ends the lane's batch if it is time, and takes the next if there is one.
  void Advance(Lane& lane) {
    const absl::Time now = clock_.Now();
    if (!lane.batch.empty() && lane.ends > now) return;
    for (const Task& task : lane.batch) {
      backlog_.Finish(task.ticket);
      estimate_.Observe(task.traffic, Tokens(task.traffic),
                        (lane.ends - lane.started) / static_cast<int>(lane.batch.size()));
      const bool good = now <= task.deadline;
      tally_.good += Counts() && good;
      tally_.wasted += Counts() && !good;
      tally_.work_seconds += Counts() && good ? task.work : 0;
    }
    Batch<Task> next = queue_.NextBatch(now);
    for (const Task& task : next.late) {
      backlog_.Abandon(task.ticket);
      tally_.late += Counts();
    }
    lane.batch = std::move(next.tasks);
    lane.started = now;
    std::vector<Ticket> tickets;
    double work = 0;
    for (const Task& task : lane.batch) {
      tickets.push_back(task.ticket);
      work += task.work;
    }
    backlog_.Start(tickets, now);
    lane.ends = EndOf(work, now);
  }

  const Scenario scenario_;
  RandomState random_;
  FakeClock clock_;
  const absl::Time start_;
  ServiceEstimate estimate_;
  Backlog backlog_;
  BatchQueue<Task> queue_;
  std::vector<Lane> lanes_;
  Tally tally_;
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CORE_BATCHING_OVERLOAD_SIMULATOR_H_
