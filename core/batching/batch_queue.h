// SPDX-License-Identifier: Apache-2.0
// Which tasks a free lane computes next: the policy of the batcher, without clock, lock or thread.
//
// A batch is formed when a lane asks (late binding), so that it is as full, and its choice as good,
// as can be. NextBatch
//   1. takes out every task that is late: now + expected time > deadline. It costs no inference.
//   2. picks the bucket whose first task is most urgent (urgency.h: earliest deadline first), among
//      those that are ready. A bucket is ready once it holds a full batch, once a task of it has
//      waited max_delay or must not wait that long, and always without max_delay or in a drain.
//   3. takes that bucket's tasks in order of urgency, the first in any case, until one of
//        max_batch      tasks are reached;
//        max_tokens     would be passed;
//        half the time  until the first deadline would be passed by the sum of expected times: all
//                       answers of a batch come at its end, and a machine that halves its speed
//                       meanwhile is still in time;
//        fair share     ceil(depth of the bucket / lanes) is reached, so that a batch does not
//                       starve the next idle lane. What it leaves behind does not wait for more.
//
// Guarantees: every task leaves exactly once, by NextBatch (`tasks` or `late`) or Remove. Inside a
// bucket tasks leave in order of urgency. A task that is alone waits for max_delay at most while a
// lane is free; with all lanes busy, until one is. Whoever has waited kPatience is overtaken by
// nothing that comes later, as soon as it is ready.
//
//   BatchQueue<Work> queue({.max_batch = 8, .lanes = 2}, expected_time);
//   const Ticket ticket = queue.Add({bucket, tokens, deadline}, std::move(work), now);
//   Batch<Work> batch = queue.NextBatch(now);  // when a lane is free
//
// Thread-safety: none; BatchScheduler adds it. Cost: Add and Remove O(log n), NextBatch O(n) and a
// call of `expected` or two a task, n tasks in the queue. Task must be movable.
#ifndef OBJECTDINO_CORE_BATCHING_BATCH_QUEUE_H_
#define OBJECTDINO_CORE_BATCHING_BATCH_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "core/batching/batch.h"
#include "core/batching/urgency.h"

namespace objectdino {

template <typename Task>
class BatchQueue {
 public:
  // Without `expected`, a task is late once its deadline has passed.
  explicit BatchQueue(const BatchLimits& limits, ExpectedTime expected = nullptr)
      : limits_(limits), expected_(std::move(expected)) {}

  Ticket Add(const TaskTraits& traits, Task task, absl::Time now);

  // The task, if it is still in the queue.
  std::optional<Task> Remove(Ticket ticket);

  // What a free lane does next; its `tasks` are empty where nothing is ready.
  Batch<Task> NextBatch(absl::Time now);

  // From now on no task waits for company.
  void Drain() { draining_ = true; }

  size_t depth() const { return places_.size(); }

 private:
  // A batch of several tasks must be in time on a machine so many times slower than thought.
  static constexpr int kBatchSafety = 2;

  struct Entry {
    TaskTraits traits;
    Task task;
    absl::Time ready_at;  // has waited long enough for company
  };
  using Bucket = std::map<Urgency, Entry>;
  struct Place {
    uint64_t bucket;
    Urgency urgency;
  };

  absl::Duration Expected(const TaskTraits& traits) const {
    return expected_ ? expected_(traits) : absl::ZeroDuration();
  }
  // Would be too late if it began at `start`.
  bool IsLate(const TaskTraits& traits, absl::Time start) const {
    return traits.deadline != absl::InfiniteFuture() && start + Expected(traits) > traits.deadline;
  }
  Task TakeOut(Bucket& bucket, typename Bucket::iterator at);
  void TakeLate(absl::Time now, std::vector<Task>& late);
  absl::Time ReadyAt(const Bucket& bucket) const;
  void Fill(Bucket& bucket, absl::Time now, Batch<Task>& batch);
  CloseReason WhyAllTaken(int64_t tokens, bool waited) const;

  const BatchLimits limits_;
  const ExpectedTime expected_;
  bool draining_ = false;
  Ticket last_ticket_ = 0;
  std::map<uint64_t, Bucket> buckets_;  // empty ones go with the next NextBatch
  std::unordered_map<Ticket, Place> places_;
};

// Users of the queue need not read on.

template <typename Task>
Ticket BatchQueue<Task>::Add(const TaskTraits& traits, Task task, absl::Time now) {
  const Urgency urgency = UrgencyOf(traits.deadline, now, ++last_ticket_);
  buckets_[traits.bucket].emplace(urgency, Entry{traits, std::move(task), now + limits_.max_delay});
  places_.emplace(last_ticket_, Place{traits.bucket, urgency});
  return last_ticket_;
}

template <typename Task>
std::optional<Task> BatchQueue<Task>::Remove(Ticket ticket) {
  const auto place = places_.find(ticket);
  if (place == places_.end()) return std::nullopt;
  const auto bucket = buckets_.find(place->second.bucket);
  std::optional<Task> task = TakeOut(bucket->second, bucket->second.find(place->second.urgency));
  return task;
}

template <typename Task>
Batch<Task> BatchQueue<Task>::NextBatch(absl::Time now) {
  Batch<Task> batch;
  TakeLate(now, batch.late);
  auto chosen = buckets_.end();
  for (auto it = buckets_.begin(); it != buckets_.end(); ++it) {
    const absl::Time ready_at = ReadyAt(it->second);
    if (ready_at > now) {
      batch.wake_up = std::min(batch.wake_up, ready_at);
    } else if (chosen == buckets_.end() ||
               it->second.begin()->first < chosen->second.begin()->first) {
      chosen = it;
    }
  }
  if (chosen == buckets_.end()) return batch;
  batch.bucket = chosen->first;
  Fill(chosen->second, now, batch);
  return batch;
}

template <typename Task>
Task BatchQueue<Task>::TakeOut(Bucket& bucket, typename Bucket::iterator at) {
  Task task = std::move(at->second.task);
  places_.erase(at->first.ticket);
  bucket.erase(at);
  return task;
}

template <typename Task>
void BatchQueue<Task>::TakeLate(absl::Time now, std::vector<Task>& late) {
  for (auto bucket = buckets_.begin(); bucket != buckets_.end();) {
    for (auto it = bucket->second.begin(); it != bucket->second.end();) {
      const auto at = it++;
      if (IsLate(at->second.traits, now)) late.push_back(TakeOut(bucket->second, at));
    }
    bucket = bucket->second.empty() ? buckets_.erase(bucket) : std::next(bucket);
  }
}

// When the bucket gives a batch; InfinitePast: at once.
template <typename Task>
absl::Time BatchQueue<Task>::ReadyAt(const Bucket& bucket) const {
  if (draining_ || limits_.max_delay <= absl::ZeroDuration() ||
      bucket.size() >= static_cast<size_t>(limits_.max_batch)) {
    return absl::InfinitePast();
  }
  absl::Time ready_at = absl::InfiniteFuture();
  int64_t tokens = 0;
  for (const auto& [urgency, entry] : bucket) {
    tokens += entry.traits.tokens;
    if (tokens >= limits_.max_tokens || IsLate(entry.traits, entry.ready_at)) {
      return absl::InfinitePast();
    }
    ready_at = std::min(ready_at, entry.ready_at);
  }
  return ready_at;
}

template <typename Task>
void BatchQueue<Task>::Fill(Bucket& bucket, absl::Time now, Batch<Task>& batch) {
  const size_t lanes = static_cast<size_t>(limits_.lanes);
  const size_t share = (bucket.size() + lanes - 1) / lanes;
  absl::Duration takes;                          // the batch
  absl::Time deadline = absl::InfiniteFuture();  // the first of the batch's
  bool waited = false;
  const auto reason_to_close = [&]() -> std::optional<CloseReason> {
    if (batch.tasks.size() == static_cast<size_t>(limits_.max_batch)) return CloseReason::kFull;
    if (bucket.empty()) return WhyAllTaken(batch.tokens, waited);
    if (batch.tasks.size() == share) return CloseReason::kShare;
    const TaskTraits& next = bucket.begin()->second.traits;
    if (batch.tasks.empty()) return std::nullopt;
    if (batch.tokens + next.tokens > limits_.max_tokens) return CloseReason::kTokens;
    if (now + kBatchSafety * (takes + Expected(next)) > std::min(deadline, next.deadline)) {
      return CloseReason::kDeadline;
    }
    return std::nullopt;
  };
  std::optional<CloseReason> reason;
  while (!(reason = reason_to_close())) {
    const auto first = bucket.begin();
    const TaskTraits traits = first->second.traits;
    waited = waited || first->second.ready_at <= now;
    takes += Expected(traits);
    deadline = std::min(deadline, traits.deadline);
    batch.tokens += traits.tokens;
    batch.tasks.push_back(TakeOut(bucket, first));
  }
  batch.reason = *reason;
  if (batch.reason == CloseReason::kShare) {
    for (auto& [urgency, entry] : bucket) entry.ready_at = std::min(entry.ready_at, now);
  }
}

template <typename Task>
CloseReason BatchQueue<Task>::WhyAllTaken(int64_t tokens, bool waited) const {
  if (draining_) return CloseReason::kDrain;
  if (limits_.max_delay <= absl::ZeroDuration()) return CloseReason::kIdle;
  if (waited) return CloseReason::kDelay;
  return tokens >= limits_.max_tokens ? CloseReason::kTokens : CloseReason::kDeadline;
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BATCHING_BATCH_QUEUE_H_
