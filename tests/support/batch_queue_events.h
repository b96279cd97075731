// SPDX-License-Identifier: Apache-2.0
// Any bytes as events on a BatchQueue, checked against a plain list of who waits: for the property
// test and the fuzz target.
//
// Four bytes of limits, then events of an operation and its arguments; see Event(). At the end the
// queue is drained.
#ifndef OBJECTDINO_TESTS_SUPPORT_BATCH_QUEUE_EVENTS_H_
#define OBJECTDINO_TESTS_SUPPORT_BATCH_QUEUE_EVENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "core/batching/batch_queue.h"

namespace objectdino::testing {

class BatchQueueEvents {
 public:
  explicit BatchQueueEvents(absl::Span<const uint8_t> bytes)
      : bytes_(bytes),
        limits_{.max_batch = 1 + Byte() % 8,
                .max_tokens = 1 + Byte() % 64,
                .max_delay = absl::Milliseconds(Byte() % 4 * 10),
                .lanes = 1 + Byte() % 4},
        queue_(limits_, [this](const TaskTraits& traits) { return ExpectedOf(traits); }) {}

  // The first promise that was broken, or nothing.
  std::string Run() {
    while (at_ < bytes_.size() && broken_.empty()) Event();
    queue_.Drain();
    draining_ = true;
    while (!waiting_.empty() && broken_.empty()) {
      const size_t before = waiting_.size();
      NextBatch();
      Promise(waiting_.size() < before, "a drain makes progress");
    }
    return broken_;
  }

  // How many tasks left in each way, so that a test can see that its events did something.
  int computed() const { return computed_; }
  int late() const { return late_; }
  int removed() const { return removed_; }

 private:
  struct Waiting {
    TaskTraits traits;
    absl::Time arrival;
    Urgency urgency;
  };
  using Task = std::unique_ptr<Ticket>;  // move-only; the ticket that it should have got

  int Byte() { return at_ < bytes_.size() ? bytes_[at_++] : 0; }
  void Promise(bool kept, const std::string& what) {
    if (!kept && broken_.empty()) broken_ = absl::StrCat(what, " (byte ", at_, ")");
  }
  absl::Duration ExpectedOf(const TaskTraits& traits) const {
    return expected_per_token_ * traits.tokens;
  }
  bool IsLate(const Waiting& task) const {
    return now_ + ExpectedOf(task.traits) > task.traits.deadline;
  }

  void Event() {
    switch (Byte() % 8) {
      case 0:
      case 1:
      case 2:
        return Add();
      case 3:
      case 4:
        return NextBatch();
      case 5:
        return Remove();
      case 6:
        now_ += absl::Milliseconds(Byte());
        return;
      default:
        expected_per_token_ = absl::Milliseconds(Byte() % 16);
    }
  }

  void Add() {
    const int kind = Byte();
    const int due = Byte();
    TaskTraits traits;
    traits.bucket = kind % 4;
    traits.tokens = 1 + kind / 4 % 16;
    if (due >= 32) traits.deadline = now_ + absl::Milliseconds(4 * due);
    const Ticket ticket = queue_.Add(traits, std::make_unique<Ticket>(++added_), now_);
    Promise(ticket == added_, "tickets count up");
    waiting_[ticket] = {traits, now_, UrgencyOf(traits.deadline, now_, ticket)};
  }

  void Remove() {
    const Ticket ticket = added_ == 0 ? 1 : 1 + Byte() % added_;
    const std::optional<Task> task = queue_.Remove(ticket);
    Promise(task.has_value() == (waiting_.erase(ticket) == 1), "Remove finds what waits");
    if (task) Promise(**task == ticket, "Remove gives the ticket's task");
    removed_ += task.has_value();
    Promise(queue_.depth() == waiting_.size(), "depth after Remove");
  }

  void NextBatch() {
    const Batch<Task> batch = queue_.NextBatch(now_);
    TakeAll(batch.late);
    for (const Waiting& task : taken_) Promise(IsLate(task), "only what is late is called late");
    late_ += static_cast<int>(taken_.size());
    for (const auto& [ticket, task] : waiting_) in_bucket_ += task.traits.bucket == batch.bucket;
    TakeAll(batch.tasks);
    computed_ += static_cast<int>(taken_.size());
    for (const auto& [ticket, task] : waiting_) Promise(!IsLate(task), "what is late leaves");
    Promise(queue_.depth() == waiting_.size(), "depth after NextBatch");
    if (batch.tasks.empty()) {
      CheckWait(batch.wake_up);
    } else {
      CheckBudgets(batch);
      CheckOrder(batch);
      CheckReason(batch);
    }
    in_bucket_ = 0;
  }

  // Moves tasks from waiting_ to taken_.
  void TakeAll(const std::vector<Task>& tasks) {
    taken_.clear();
    for (const Task& task : tasks) {
      const auto it = task ? waiting_.find(*task) : waiting_.end();
      Promise(it != waiting_.end(), "a task leaves once");
      if (it == waiting_.end()) return;
      taken_.push_back(it->second);
      waiting_.erase(it);
    }
  }

  void CheckWait(absl::Time wake_up) {
    Promise(!waiting_.empty() || wake_up == absl::InfiniteFuture(), "nothing to wake up for");
    std::map<uint64_t, int> depths;
    for (const auto& [ticket, task] : waiting_) {
      Promise(!draining_, "a drain gives what waits");
      Promise(now_ < task.arrival + limits_.max_delay, "nothing waits longer than max_delay");
      Promise(now_ < wake_up && wake_up <= task.arrival + limits_.max_delay, "wakes up in time");
      Promise(++depths[task.traits.bucket] < limits_.max_batch, "a full batch does not wait");
      Promise(task.arrival + limits_.max_delay + ExpectedOf(task.traits) <= task.traits.deadline,
              "nothing waits until it is late");
    }
  }

  void CheckBudgets(const Batch<Task>& batch) {
    int64_t tokens = 0;
    absl::Duration takes;
    absl::Time deadline = absl::InfiniteFuture();
    for (const Waiting& task : taken_) {
      Promise(!IsLate(task), "a late task costs nothing");
      Promise(task.traits.bucket == batch.bucket, "a batch is of one bucket");
      tokens += task.traits.tokens;
      takes += ExpectedOf(task.traits);
      deadline = std::min(deadline, task.traits.deadline);
    }
    const int size = static_cast<int>(taken_.size());
    Promise(tokens == batch.tokens, "tokens add up");
    Promise(size <= limits_.max_batch, "max_batch");
    Promise(size == 1 || tokens <= limits_.max_tokens, "max_tokens");
    Promise(size == 1 || now_ + 2 * takes <= deadline,
            "a batch is in time, even at half the speed");
    Promise(size <= Share(), "fair share");
  }

  void CheckOrder(const Batch<Task>& batch) {
    for (size_t i = 1; i < taken_.size(); ++i) {
      Promise(taken_[i - 1].urgency < taken_[i].urgency, "order inside a batch");
    }
    for (const auto& [ticket, task] : waiting_) {
      if (task.traits.bucket == batch.bucket) {
        Promise(taken_.back().urgency < task.urgency, "order inside a bucket");
      } else if (draining_ || task.arrival + limits_.max_delay <= now_) {
        Promise(taken_.front().urgency < task.urgency, "the most urgent bucket that is ready");
      }
    }
  }

  // The next task of the bucket really did not fit.
  void CheckReason(const Batch<Task>& batch) {
    const Waiting* next = nullptr;
    for (const auto& [ticket, task] : waiting_) {
      if (task.traits.bucket != batch.bucket) continue;
      if (next == nullptr || task.urgency < next->urgency) next = &task;
    }
    const int size = static_cast<int>(taken_.size());
    absl::Duration takes;
    absl::Time deadline = absl::InfiniteFuture();
    for (const Waiting& task : taken_) {
      takes += ExpectedOf(task.traits);
      deadline = std::min(deadline, task.traits.deadline);
    }
    const bool waits = limits_.max_delay > absl::ZeroDuration() && !draining_;
    bool holds = false;
    switch (batch.reason) {
      case CloseReason::kFull:
        holds = size == limits_.max_batch;
        break;
      case CloseReason::kShare:
        holds = next != nullptr && size == Share();
        break;
      case CloseReason::kTokens:
        holds = next != nullptr ? batch.tokens + next->traits.tokens > limits_.max_tokens
                                : waits && batch.tokens >= limits_.max_tokens;
        break;
      case CloseReason::kDeadline:
        holds = next != nullptr ? now_ + 2 * (takes + ExpectedOf(next->traits)) >
                                      std::min(deadline, next->traits.deadline)
                                : waits;
        break;
      case CloseReason::kDelay:
        holds = next == nullptr && waits;
        break;
      case CloseReason::kIdle:
        holds = next == nullptr && !draining_ && !waits;
        break;
      case CloseReason::kDrain:
        holds = next == nullptr && draining_;
        break;
    }
    Promise(holds, absl::StrCat("closed for a reason: ", CloseReasonName(batch.reason)));
  }

  int Share() const { return (in_bucket_ + limits_.lanes - 1) / limits_.lanes; }

  const absl::Span<const uint8_t> bytes_;
  size_t at_ = 0;
  const BatchLimits limits_;
  absl::Duration expected_per_token_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
  BatchQueue<Task> queue_;
  bool draining_ = false;
  Ticket added_ = 0;
  std::map<Ticket, Waiting> waiting_;
  std::vector<Waiting> taken_;  // by the last call
  int in_bucket_ = 0;           // depth of the batch's bucket, before the batch was taken
  int computed_ = 0;
  int late_ = 0;
  int removed_ = 0;
  std::string broken_;
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_BATCH_QUEUE_EVENTS_H_
