// SPDX-License-Identifier: Apache-2.0
#include "core/batching/batch_scheduler.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_clock.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BatchScheduler, TimeIsTheClocks) {
  testing::FakeClock clock;
  BatchScheduler<int> scheduler({.max_batch = 8, .max_delay = absl::Milliseconds(20)}, nullptr,
                                clock);
  const absl::Time start = clock.Now();
  ASSERT_TRUE(scheduler.Add({}, 1));
  ASSERT_TRUE(scheduler.Add({.deadline = start + absl::Milliseconds(45)}, 2));
  const auto too_early = scheduler.TryTake();
  EXPECT_THAT(too_early.tasks, IsEmpty());
  EXPECT_EQ(too_early.wake_up, start + absl::Milliseconds(20));
  EXPECT_EQ(scheduler.depth(), 2U);
  clock.Advance(absl::Milliseconds(50));
  const auto taken = scheduler.TryTake();
  EXPECT_THAT(taken.tasks, ElementsAre(1));
  EXPECT_THAT(taken.late, ElementsAre(2));
  EXPECT_FALSE(taken.closed);
}

TEST(BatchScheduler, TakeWaits_ForATask) {
  BatchScheduler<int> scheduler({});
  std::thread producer([&] { ASSERT_TRUE(scheduler.Add({}, 5)); });
  EXPECT_THAT(scheduler.Take().tasks, ElementsAre(5));
  producer.join();
}

TEST(BatchScheduler, TakeWaits_ForMaxDelayAndNoLonger) {
  BatchScheduler<int> scheduler({.max_batch = 8, .max_delay = absl::Milliseconds(5)});
  const absl::Time start = absl::Now();
  ASSERT_TRUE(scheduler.Add({}, 5));
  const auto taken = scheduler.Take();
  EXPECT_THAT(taken.tasks, ElementsAre(5));
  EXPECT_EQ(taken.reason, CloseReason::kDelay);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(5));
}

TEST(BatchScheduler, TwoWaitingLanes_BothGetTheirShare) {
  BatchScheduler<int> scheduler({.max_batch = 8, .lanes = 2});
  std::vector<int> got[2];
  std::thread lanes[2];
  for (int i = 0; i < 2; ++i) {
    lanes[i] = std::thread([&, i] { got[i] = scheduler.Take().tasks; });
  }
  ASSERT_TRUE(scheduler.Add({}, 1));
  ASSERT_TRUE(scheduler.Add({}, 2));
  for (std::thread& lane : lanes) lane.join();
  EXPECT_EQ(got[0].size(), 1U);
  EXPECT_EQ(got[1].size(), 1U);
}

// A lane that computes one of two tasks until the other one is taken, which is its own lane's or
// nobody's: a lane that leaves must not take the only alarm clock with it.
TEST(BatchScheduler, TaskLeftBehind_IsTakenByALaneThatWaits) {
  constexpr int kRounds = 500;
  BatchScheduler<int> scheduler({.max_batch = 2, .max_delay = absl::Microseconds(300)});
  Mutex mutex;
  CondVar changed;
  int begun = 0;
  bool alone = false;
  const auto lane = [&] {
    for (;;) {
      const auto taken = scheduler.Take();
      if (taken.closed) return;
      const MutexLock lock(mutex);
      ASSERT_EQ(taken.tasks.size(), 1U);
      ++begun;
      changed.NotifyAll();
      const int both = 2 * (taken.tasks[0] + 1);
      const absl::Time patience_ends = absl::Now() + absl::Seconds(5);
      while (begun < both && !alone) alone = !changed.WaitUntil(mutex, patience_ends);
    }
  };
  std::thread first(lane);
  std::thread second(lane);
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_TRUE(scheduler.Add({.bucket = 1}, int{round}));
    if (round % 2 == 0) absl::SleepFor(absl::Microseconds(round % 300));
    ASSERT_TRUE(scheduler.Add({.bucket = 2}, int{round}));
    const MutexLock lock(mutex);
    while (begun < 2 * (round + 1) && !alone) changed.Wait(mutex);
  }
  scheduler.Close();
  first.join();
  second.join();
  EXPECT_FALSE(alone);
}

TEST(BatchScheduler, LateTasksAlone_EndAWait) {
  BatchScheduler<int> scheduler({}, [](const TaskTraits&) { return absl::Hours(1); });
  std::thread producer(
      [&] { ASSERT_TRUE(scheduler.Add({.deadline = absl::Now() + absl::Minutes(1)}, 5)); });
  const auto taken = scheduler.Take();
  EXPECT_THAT(taken.late, ElementsAre(5));
  EXPECT_THAT(taken.tasks, IsEmpty());
  producer.join();
}

TEST(BatchScheduler, Close_GivesWhatIsQueuedThenSaysClosed) {
  BatchScheduler<int> scheduler({.max_batch = 8, .max_delay = absl::Hours(1)});
  ASSERT_TRUE(scheduler.Add({}, 1));
  scheduler.Close();
  const auto rest = scheduler.Take();
  EXPECT_THAT(rest.tasks, ElementsAre(1));
  EXPECT_EQ(rest.reason, CloseReason::kDrain);
  EXPECT_FALSE(rest.closed);
  EXPECT_TRUE(scheduler.Take().closed);
  EXPECT_TRUE(scheduler.Take().closed) << "and goes on saying so";
}

TEST(BatchScheduler, Close_WakesEveryLane) {
  BatchScheduler<int> scheduler({.lanes = 2});
  std::thread lanes[2];
  for (std::thread& lane : lanes) {
    lane = std::thread([&] { EXPECT_TRUE(scheduler.Take().closed); });
  }
  scheduler.Close();
  for (std::thread& lane : lanes) lane.join();
}

TEST(BatchScheduler, AddAfterClose_LeavesTheTaskToItsOwner) {
  BatchScheduler<std::unique_ptr<int>> scheduler({});
  scheduler.Close();
  auto task = std::make_unique<int>(3);
  EXPECT_EQ(scheduler.Add({}, std::move(task)), std::nullopt);
  ASSERT_NE(task, nullptr);  // NOLINT(bugprone-use-after-move): the contract
}

TEST(BatchScheduler, Remove_AfterALaneTookIt_GivesNothing) {
  BatchScheduler<int> scheduler({});
  const Ticket taken = *scheduler.Add({}, 1);
  EXPECT_THAT(scheduler.TryTake().tasks, ElementsAre(1));
  const Ticket waiting = *scheduler.Add({}, 2);
  EXPECT_EQ(scheduler.Remove(taken), std::nullopt);
  EXPECT_EQ(scheduler.Remove(waiting), std::optional<int>(2));
  EXPECT_EQ(scheduler.depth(), 0U);
}

}  // namespace
}  // namespace objectdino
