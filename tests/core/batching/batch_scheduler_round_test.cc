// SPDX-License-Identifier: Apache-2.0
// Producers, lanes and cancellations at once; made for ThreadSanitizer, true without it.
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "core/batching/backlog.h"
#include "core/batching/batch_scheduler.h"
#include "core/batching/service_estimate.h"

namespace objectdino {
namespace {

constexpr int kProducers = 4;
constexpr int kLanes = 3;
constexpr int kTasksOfProducer = 3000;

struct Work {
  size_t id;
  Ticket admission;
};
// Plain on purpose: who owns a task is the only one to touch its fate.
enum class Fate { kNone, kRefused, kComputed, kLate, kCancelled, kClosed };

struct House {
  explicit House(absl::Duration max_delay)
      : backlog({.lanes = kLanes, .max_queue = 200}, estimate),
        scheduler({.max_batch = 4, .max_tokens = 40, .max_delay = max_delay, .lanes = kLanes},
                  [this](const TaskTraits& traits) {
                    return estimate.Expected(traits.bucket, traits.tokens);
                  }),
        fates(size_t{kProducers} * kTasksOfProducer, Fate::kNone) {}

  void End(const Work& work, Fate fate) {
    ASSERT_EQ(fates[work.id], Fate::kNone) << "task " << work.id << " left twice";
    fates[work.id] = fate;
  }

  void Produce(int producer) {
    std::mt19937 random(producer);
    std::vector<Ticket> mine;
    for (int i = 0; i < kTasksOfProducer; ++i) {
      const absl::Time now = absl::Now();
      TaskTraits traits;
      traits.bucket = random() % 3;
      traits.tokens = 1 + static_cast<int64_t>(random() % 20);
      if (random() % 2 == 0) traits.deadline = now + absl::Microseconds(random() % 3000);
      auto work = std::make_unique<Work>();
      work->id = static_cast<size_t>(producer) * kTasksOfProducer + i;
      const Backlog::Admission admission =
          backlog.Enter({traits.deadline, traits.bucket, traits.tokens}, now);
      if (admission.outcome != Backlog::Outcome::kAdmitted) {
        End(*work, Fate::kRefused);
        std::this_thread::yield();
        continue;
      }
      work->admission = admission.ticket;
      const std::optional<Ticket> ticket = scheduler.Add(traits, std::move(work));
      if (!ticket) {
        backlog.Abandon(work->admission);  // NOLINT(bugprone-use-after-move): the contract
        End(*work, Fate::kClosed);
        continue;
      }
      mine.push_back(*ticket);
      if (random() % 3 == 0) {
        if (const auto cancelled = scheduler.Remove(mine[random() % mine.size()])) {
          backlog.Abandon((*cancelled)->admission);
          End(**cancelled, Fate::kCancelled);
        }
      }
    }
  }

  void Compute(int lane) {
    std::mt19937 random(100 + lane);
    for (;;) {
      auto taken = scheduler.Take();
      if (taken.closed) return;
      for (const auto& work : taken.late) {
        backlog.Abandon(work->admission);
        End(*work, Fate::kLate);
      }
      std::vector<Ticket> tickets;
      for (const auto& work : taken.tasks) tickets.push_back(work->admission);
      const absl::Time start = absl::Now();
      backlog.Start(tickets, start);
      for (uint32_t spin = random() % 2000; spin > 0; --spin) spins.fetch_add(1);
      for (const auto& work : taken.tasks) {
        End(*work, Fate::kComputed);
        backlog.Finish(work->admission);
        estimate.Observe(taken.bucket, 10, (absl::Now() - start) / taken.tasks.size());
      }
    }
  }

  ServiceEstimate estimate;
  Backlog backlog;
  BatchScheduler<std::unique_ptr<Work>> scheduler;
  std::vector<Fate> fates;
  std::atomic<uint64_t> spins = 0;
};

void Round(absl::Duration max_delay, bool close_early) {
  House house(max_delay);
  std::vector<std::thread> lanes;
  std::vector<std::thread> producers;
  for (int i = 0; i < kLanes; ++i) lanes.emplace_back([&, i] { house.Compute(i); });
  for (int i = 0; i < kProducers; ++i) producers.emplace_back([&, i] { house.Produce(i); });
  if (close_early) {
    while (house.spins.load() < 1000) std::this_thread::yield();
    house.scheduler.Close();
  }
  for (std::thread& producer : producers) producer.join();
  house.scheduler.Close();
  for (std::thread& lane : lanes) lane.join();

  std::array<int, 6> counts{};
  for (const Fate fate : house.fates) ++counts[static_cast<size_t>(fate)];
  EXPECT_EQ(counts[static_cast<size_t>(Fate::kNone)], 0) << "every task is accounted for";
  EXPECT_GT(counts[static_cast<size_t>(Fate::kComputed)], 0);
  EXPECT_GT(counts[static_cast<size_t>(close_early ? Fate::kClosed : Fate::kCancelled)], 0);
  EXPECT_EQ(house.scheduler.depth(), 0U);
  EXPECT_EQ(house.backlog.waiting(), 0U);
  EXPECT_EQ(house.backlog.running(), 0U);
}

TEST(BatchSchedulerRound, EveryTaskLeavesOnce) {
  Round(absl::ZeroDuration(), /*close_early=*/false);
  Round(absl::Microseconds(200), /*close_early=*/false);
}

TEST(BatchSchedulerRound, CloseAmongProducers_LosesNothing) {
  Round(absl::ZeroDuration(), /*close_early=*/true);
  Round(absl::Microseconds(200), /*close_early=*/true);
}

}  // namespace
}  // namespace objectdino
