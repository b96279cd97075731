// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_run.h"

#include <algorithm>
#include <cmath>
#include <sys/resource.h>
#include <utility>

#include "absl/time/clock.h"

namespace objectdino {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);  // before a retry; grows
constexpr double kPauseGrowth = 1.5;
constexpr absl::Duration kMaxPause = absl::Milliseconds(200);
// So that a server that is away does not turn a closed loop into a busy one.
constexpr absl::Duration kPauseAfterFault = absl::Milliseconds(10);
constexpr absl::Duration kInterruptPatience = absl::Seconds(5);
constexpr absl::Duration kGrace = absl::Seconds(1);  // over a deadline, for gRPC to notice it
constexpr absl::Duration kPoll = absl::Milliseconds(50);

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) +
                               absl::DurationFromTimeval(usage.ru_stime));
}

// Neither an answer nor the request's own end: something is wrong with server or connection.
bool IsFault(grpc::StatusCode code) {
  return code != grpc::StatusCode::OK && code != grpc::StatusCode::INVALID_ARGUMENT &&
         code != grpc::StatusCode::RESOURCE_EXHAUSTED &&
         code != grpc::StatusCode::DEADLINE_EXCEEDED && code != grpc::StatusCode::CANCELLED;
}

}  // namespace

LoadRun::LoadRun(const LoadOptions& options, Workload& workload,
                 const MakeTransport& make_transport)
    : options_(options),
      warmup_(absl::Seconds(options.warmup_s)),
      planned_end_(options.requests ? absl::InfiniteDuration()
                                    : warmup_ + absl::Seconds(options.duration_s)),
      workload_(workload),
      arrivals_(options.rate.value_or(1), options.seed),
      jitter_(options.seed, 3),
      transport_(make_transport(
          [this](auto request, const auto& answer) { OnAnswer(std::move(request), answer); })),
      agenda_(clock_) {}

LoadRecord LoadRun::Run(const std::atomic<bool>& interrupted) {
  const double cpu_before = CpuSeconds();
  if (options_.rate) {
    {
      const MutexLock lock(mutex_);
      arriving_ = true;
    }
    PlanArrival();
  } else {
    for (size_t caller = 0; caller < options_.concurrency; ++caller) {
      agenda_.At(absl::ZeroDuration(), [=, this] { Call(caller); });
    }
  }
  WaitForEnd(interrupted);
  agenda_.Close();
  giving_up_ = true;
  transport_->Close();

  const MutexLock lock(mutex_);
  record_.begin = warmup_;
  record_.cpu_s = CpuSeconds() - cpu_before;
  record_.attempts = attempts_;
  return std::move(record_);
}

bool LoadRun::IsOverLocked(absl::Duration now) const {
  if (stopping_) return true;
  if (options_.rate) return !arriving_;
  return options_.requests ? counted_ >= *options_.requests : now >= planned_end_;
}

void LoadRun::WaitForEnd(const std::atomic<bool>& interrupted) {
  const absl::Duration patience = absl::Milliseconds(options_.deadline_ms.high) + kGrace;
  absl::Duration give_up = absl::InfiniteDuration();
  absl::Duration now = clock_.Now();
  const MutexLock lock(mutex_);
  while ((!IsOverLocked(now) || out_ > 0) && now < give_up) {
    if (interrupted && !record_.interrupted) {
      record_.interrupted = true;
      stopping_ = true;
      record_.end = std::min(now, planned_end_);
      give_up = std::min(give_up, now + std::min(patience, kInterruptPatience));
    }
    if (IsOverLocked(now)) give_up = std::min(give_up, now + patience);
    changed_.WaitUntil(mutex_, absl::Now() + kPoll);
    now = clock_.Now();
  }
  stopping_ = true;
  if (!record_.interrupted) record_.end = EndOfCountingLocked();
}

absl::Duration LoadRun::EndOfCountingLocked() const {
  if (!options_.requests) return planned_end_;
  absl::Duration last = warmup_;
  for (const Outcome& outcome : record_.outcomes) {
    if (outcome.counts) last = std::max(last, outcome.answered);
  }
  return last;
}

void LoadRun::PlanArrival() {
  absl::Duration due;
  {
    const MutexLock lock(mutex_);
    due = arrivals_.Next();
    if (stopping_ || due >= planned_end_ || (options_.requests && counted_ >= *options_.requests)) {
      arriving_ = false;
      if (out_ == 0) changed_.NotifyAll();
      return;
    }
  }
  agenda_.At(due, [=, this] { Arrive(due); });
}

void LoadRun::Arrive(absl::Duration due) {
  std::unique_ptr<LoadRequest> request;
  {
    const MutexLock lock(mutex_);
    request = NextLocked(0, due);
    if (request != nullptr && out_ >= options_.max_outstanding) {
      Outcome outcome;
      outcome.due = outcome.sent = outcome.answered = due;
      outcome.counts = request->counts;
      outcome.dropped = true;
      record_.outcomes.push_back(outcome);
      request.reset();
    }
    if (request != nullptr) ++out_;
  }
  if (request != nullptr) {
    request->caller = request->id;
    Send(std::move(request));
  }
  PlanArrival();
}

void LoadRun::Call(size_t caller) {
  std::unique_ptr<LoadRequest> request;
  {
    const MutexLock lock(mutex_);
    request = NextLocked(caller, clock_.Now());
    if (request == nullptr) return;
    ++out_;
  }
  Send(std::move(request));
}

std::unique_ptr<LoadRequest> LoadRun::NextLocked(size_t caller, absl::Duration due) {
  const bool counts = due >= warmup_;
  const bool at_end = options_.requests ? counted_ >= *options_.requests : due >= planned_end_;
  if (stopping_ || at_end) return nullptr;
  auto request = std::make_unique<LoadRequest>();
  request->plan = workload_.Next();
  request->id = ++requests_;
  request->caller = caller;
  request->due = due;
  request->counts = counts;
  if (counts) ++counted_;
  return request;
}

void LoadRun::Send(std::unique_ptr<LoadRequest> request) {
  request->sent = clock_.Now();
  if (request->plan.cancel_after) {
    agenda_.At(request->sent + *request->plan.cancel_after,
               [this, id = request->id] { transport_->Cancel(id); });
  }
  StartAttempt(std::move(request));
}

void LoadRun::StartAttempt(std::unique_ptr<LoadRequest> request) {
  ++request->attempts;
  ++attempts_;
  const absl::Duration remaining = request->due + request->plan.deadline - clock_.Now();
  transport_->Start(std::move(request), remaining);
}

void LoadRun::OnAnswer(std::unique_ptr<LoadRequest> request, const LoadAnswer& answer) {
  const absl::Duration now = clock_.Now();
  if (const auto pause = RetryPause(*request, answer, now)) {
    agenda_.At(now + *pause, [this, answer, waiting = std::move(request)]() mutable {
      if (stopping_) {
        Record(*waiting, answer, clock_.Now());
      } else {
        StartAttempt(std::move(waiting));
      }
    });
    return;
  }
  const size_t caller = request->caller;
  Record(*request, answer, now);
  if (options_.rate) return;
  if (IsFault(answer.code) && !stopping_) {
    agenda_.At(now + kPauseAfterFault, [=, this] { Call(caller); });
  } else {
    Call(caller);
  }
}

std::optional<absl::Duration> LoadRun::RetryPause(const LoadRequest& request,
                                                  const LoadAnswer& answer, absl::Duration now) {
  const PlannedRequest& plan = request.plan;
  if (!options_.retry || stopping_) return std::nullopt;
  if (plan.cancel_after && now >= request.sent + *plan.cancel_after) return std::nullopt;
  absl::Duration pause;
  if (answer.code == grpc::StatusCode::UNAVAILABLE) {
    const MutexLock lock(mutex_);
    pause = std::min(kMaxPause, kFirstPause * std::pow(kPauseGrowth, request.attempts - 1)) *
            jitter_.Uniform(0.5, 1.5);
  } else if (answer.code == grpc::StatusCode::RESOURCE_EXHAUSTED && answer.push_back) {
    pause = *answer.push_back;
  } else {
    return std::nullopt;
  }
  if (now + pause >= request.due + plan.deadline) return std::nullopt;
  return pause;
}

void LoadRun::Record(const LoadRequest& request, const LoadAnswer& answer, absl::Duration now) {
  Outcome outcome;
  outcome.due = request.due;
  outcome.sent = request.sent;
  outcome.answered = now;
  outcome.deadline = request.plan.deadline;
  outcome.code = answer.code;
  outcome.attempts = request.attempts;
  outcome.request_bytes = static_cast<uint32_t>(request.plan.bytes());
  outcome.response_bytes = static_cast<uint32_t>(answer.bytes);
  outcome.counts = request.counts;
  outcome.unfinished = giving_up_;
  outcome.bad_input = request.plan.bad_input;
  outcome.cancel_planned = request.plan.cancel_after.has_value();
  const MutexLock lock(mutex_);
  record_.outcomes.push_back(outcome);
  if (request.counts && answer.timing) record_.timings.push_back(*answer.timing);
  if (request.counts && answer.code != grpc::StatusCode::OK && !giving_up_) {
    record_.errors.emplace(answer.code, answer.message);
  }
  --out_;
  if (out_ == 0 && IsOverLocked(now)) changed_.NotifyAll();
}

}  // namespace objectdino
