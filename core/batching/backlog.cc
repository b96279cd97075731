// SPDX-License-Identifier: Apache-2.0
#include "core/batching/backlog.h"

#include <algorithm>
#include <utility>

namespace objectdino {

// When each lane is free, from now, as work is dealt to whichever is free first.
class Backlog::Lanes {
 public:
  explicit Lanes(int count) : free_in_(static_cast<size_t>(count), absl::ZeroDuration()) {}

  // When the next piece of work begins.
  absl::Duration Next() const { return *std::min_element(free_in_.begin(), free_in_.end()); }
  void Deal(absl::Duration work) { *std::min_element(free_in_.begin(), free_in_.end()) += work; }

 private:
  std::vector<absl::Duration> free_in_;
};

// What is expected of requests now; each cost class is asked for once.
class Backlog::Foresight {
 public:
  Foresight(const ServiceEstimate& estimate, absl::Time now) : estimate_(estimate), now_(now) {}

  absl::Time now() const { return now_; }
  // How long it keeps a lane busy.
  absl::Duration WorkOf(const Request& request) { return TimesOf(request).mean; }
  // How long it may wait and still be answered in time.
  absl::Duration SlackOf(const Request& request) {
    return request.deadline - now_ - TimesOf(request).expected;
  }

 private:
  struct Times {
    absl::Duration mean;
    absl::Duration expected;
  };

  const Times& TimesOf(const Request& request) {
    const auto [it, is_new] = times_.try_emplace({request.cost_class, request.tokens});
    if (is_new) {
      it->second = {estimate_.Mean(request.cost_class, request.tokens),
                    estimate_.Expected(request.cost_class, request.tokens)};
    }
    return it->second;
  }

  const ServiceEstimate& estimate_;
  const absl::Time now_;
  std::map<std::pair<uint64_t, int64_t>, Times> times_;
};

Backlog::Admission Backlog::Enter(const Request& request, absl::Time now) {
  const MutexLock lock(mutex_);
  const Urgency urgency = UrgencyOf(request.deadline, now, last_ticket_ + 1);
  Foresight foresight(estimate_, now);
  Admission admission;
  if (waiting_.size() >= static_cast<size_t>(options_.max_queue)) {
    admission.outcome = Outcome::kQueueFull;
    admission.retry_after = BusyLanesLocked(foresight).Next();
  } else if (const absl::Duration lacks = LacksLocked(request, urgency, foresight);
             lacks > absl::ZeroDuration()) {
    admission.outcome = Outcome::kTooLate;
    admission.retry_after = lacks;
  }
  if (admission.outcome != Outcome::kAdmitted) {
    admission.retry_after = std::clamp(admission.retry_after, kMinRetry, kPatience);
    return admission;
  }
  admission.ticket = ++last_ticket_;
  waiting_.emplace(urgency, request);
  places_.emplace(admission.ticket, urgency);
  return admission;
}

void Backlog::Start(absl::Span<const Ticket> batch, absl::Time now) {
  const MutexLock lock(mutex_);
  Run run;
  run.start = now;
  for (const Ticket ticket : batch) {
    const auto place = places_.find(ticket);
    if (place == places_.end()) continue;
    const auto request = waiting_.find(place->second);
    run.requests.emplace(ticket, request->second);
    waiting_.erase(request);
    places_.erase(place);
  }
  if (!run.requests.empty()) runs_.push_back(std::move(run));
}

void Backlog::Finish(Ticket ticket) {
  const MutexLock lock(mutex_);
  for (auto run = runs_.begin(); run != runs_.end(); ++run) {
    if (run->requests.erase(ticket) == 0) continue;
    if (run->requests.empty()) runs_.erase(run);
    return;
  }
}

void Backlog::Abandon(Ticket ticket) {
  const MutexLock lock(mutex_);
  const auto place = places_.find(ticket);
  if (place == places_.end()) return;
  waiting_.erase(place->second);
  places_.erase(place);
}

size_t Backlog::waiting() const {
  const MutexLock lock(mutex_);
  return waiting_.size();
}

size_t Backlog::running() const {
  const MutexLock lock(mutex_);
  size_t count = 0;
  for (const Run& run : runs_) count += run.requests.size();
  return count;
}

absl::Duration Backlog::LacksLocked(const Request& request, const Urgency& urgency,
                                    Foresight& foresight) const {
  if (request.deadline == absl::InfiniteFuture()) return absl::ZeroDuration();
  const absl::Duration slack = foresight.SlackOf(request);
  if (slack < absl::ZeroDuration()) return std::max(-slack, kMinRetry);

  Lanes lanes = BusyLanesLocked(foresight);
  auto it = waiting_.begin();
  const auto deal = [&](Lanes& to) {
    if (to.Next() <= foresight.SlackOf(it->second)) to.Deal(foresight.WorkOf(it->second));
  };
  for (; it != waiting_.end() && it->first < urgency; ++it) deal(lanes);
  const absl::Duration wait = lanes.Next();
  if (wait > options_.headroom * slack) return wait - options_.headroom * slack;

  // Those behind it, as they are and as they would be. They keep more of their slack for it than
  // they were given, since a queue in which everyone was pushed to the edge would be late as a
  // whole.
  const double limit = (1 + options_.headroom) / 2;
  Lanes pushed = lanes;
  pushed.Deal(foresight.WorkOf(request));
  for (; it != waiting_.end(); ++it) {
    const absl::Duration other_slack = foresight.SlackOf(it->second);
    const absl::Duration before = lanes.Next();
    const absl::Duration after = pushed.Next();
    if (before <= other_slack && before < after && after > limit * other_slack) {
      return std::max(after - limit * other_slack, kMinRetry);
    }
    deal(lanes);
    deal(pushed);
  }
  return absl::ZeroDuration();
}

Backlog::Lanes Backlog::BusyLanesLocked(Foresight& foresight) const {
  Lanes lanes(options_.lanes);
  for (const Run& run : runs_) {
    absl::Duration left = run.start - foresight.now();
    for (const auto& [ticket, request] : run.requests) left += foresight.WorkOf(request);
    // What has run over its time is thought to go on for as long again as it is over.
    lanes.Deal(absl::AbsDuration(left));
  }
  return lanes;
}

}  // namespace objectdino
