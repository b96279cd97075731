// SPDX-License-Identifier: Apache-2.0
#include "core/batching/batch_queue.h"

#include <optional>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kA = 7;
constexpr uint64_t kB = 8;
const absl::Time kStart = absl::FromUnixSeconds(1'000'000'000);

absl::Time At(int ms) { return kStart + absl::Milliseconds(ms); }
TaskTraits Due(uint64_t bucket, int ms, int64_t tokens = 1) { return {bucket, tokens, At(ms)}; }
TaskTraits NoDeadline(uint64_t bucket, int64_t tokens = 1) { return {bucket, tokens}; }
ExpectedTime Takes(int ms) {
  return [ms](const TaskTraits&) { return absl::Milliseconds(ms); };
}

TEST(BatchQueue, Empty_WakesUpForNothing) {
  BatchQueue<int> queue({});
  const Batch<int> batch = queue.NextBatch(kStart);
  EXPECT_THAT(batch.tasks, IsEmpty());
  EXPECT_EQ(batch.wake_up, absl::InfiniteFuture());
}

TEST(BatchQueue, InsideABucket_ByDeadlineThenArrival) {
  BatchQueue<std::string> queue({.max_batch = 8});
  queue.Add(NoDeadline(kA), "none", kStart);
  queue.Add(Due(kA, 900), "900", kStart);
  queue.Add(Due(kA, 500), "500 first", kStart);
  queue.Add(Due(kA, 500), "500 second", kStart);
  queue.Add(Due(kA, 31'000), "after those without that came before", At(1));
  const auto batch = queue.NextBatch(At(1));
  EXPECT_THAT(batch.tasks, ElementsAre("500 first", "500 second", "900", "none",
                                       "after those without that came before"));
  EXPECT_EQ(batch.reason, CloseReason::kIdle);
  EXPECT_EQ(batch.bucket, kA);
  EXPECT_EQ(batch.tokens, 5);
}

TEST(BatchQueue, MostUrgentBucketFirst_AndNeverTwoInABatch) {
  BatchQueue<int> queue({.max_batch = 8});
  queue.Add(Due(kA, 800), 1, kStart);
  queue.Add(Due(kA, 700), 2, kStart);
  queue.Add(Due(kB, 750), 3, kStart);
  queue.Add(Due(kB, 600), 4, kStart);
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(4, 3));
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(2, 1));
}

TEST(BatchQueue, MaxBatch_ClosesFull) {
  BatchQueue<int> queue({.max_batch = 2});
  for (int i = 0; i < 3; ++i) queue.Add(NoDeadline(kA), i, kStart);
  const auto batch = queue.NextBatch(kStart);
  EXPECT_THAT(batch.tasks, ElementsAre(0, 1));
  EXPECT_EQ(batch.reason, CloseReason::kFull);
  EXPECT_EQ(queue.depth(), 1U);
}

TEST(BatchQueue, MaxTokens_AreNotPassed_NorIsTheNextTaskJumpedOver) {
  BatchQueue<int> queue({.max_batch = 8, .max_tokens = 10});
  queue.Add(NoDeadline(kA, 4), 1, kStart);
  queue.Add(NoDeadline(kA, 7), 2, kStart);
  queue.Add(NoDeadline(kA, 1), 3, kStart);
  const auto batch = queue.NextBatch(kStart);
  EXPECT_THAT(batch.tasks, ElementsAre(1));
  EXPECT_EQ(batch.reason, CloseReason::kTokens);
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(2, 3));
}

TEST(BatchQueue, TaskAboveMaxTokens_RunsAlone) {
  BatchQueue<int> queue({.max_batch = 8, .max_tokens = 10});
  queue.Add(NoDeadline(kA, 11), 1, kStart);
  queue.Add(NoDeadline(kA, 1), 2, kStart);
  const auto batch = queue.NextBatch(kStart);
  EXPECT_THAT(batch.tasks, ElementsAre(1));
  EXPECT_EQ(batch.tokens, 11);
}

TEST(BatchQueue, FairShare_LeavesWorkToTheOtherLane) {
  BatchQueue<int> queue({.max_batch = 8, .lanes = 2});
  for (int i = 0; i < 5; ++i) queue.Add(NoDeadline(kA), i, kStart);
  const auto batch = queue.NextBatch(kStart);
  EXPECT_THAT(batch.tasks, ElementsAre(0, 1, 2));
  EXPECT_EQ(batch.reason, CloseReason::kShare);
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(3));
}

TEST(BatchQueue, FairShareOfAFullBatch_LeavesNothingWaitingForMore) {
  BatchQueue<int> queue({.max_batch = 4, .max_delay = absl::Milliseconds(20), .lanes = 2});
  for (int i = 0; i < 4; ++i) queue.Add(NoDeadline(kA), i, kStart);
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(0, 1));
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(2));
}

TEST(BatchQueue, Late_IsHandedBackFromEveryBucket_WithoutABatch) {
  BatchQueue<int> queue({.max_batch = 8}, Takes(100));
  queue.Add(Due(kA, 150), 1, kStart);
  queue.Add(Due(kB, 120), 2, kStart);
  queue.Add(Due(kB, 160), 3, kStart);
  const auto batch = queue.NextBatch(At(51));  // 1 would end at 151
  EXPECT_THAT(batch.late, ElementsAre(1, 2));
  EXPECT_THAT(batch.tasks, ElementsAre(3));
}

TEST(BatchQueue, EndOnTheDeadline_IsInTime) {
  BatchQueue<int> queue({}, Takes(100));
  queue.Add(Due(kA, 150), 1, kStart);
  EXPECT_THAT(queue.NextBatch(At(50)).tasks, ElementsAre(1));
}

TEST(BatchQueue, ExpectedTime_IsAskedAgainWhileATaskWaits) {
  int expected_ms = 10;
  BatchQueue<int> queue({}, [&](const TaskTraits&) { return absl::Milliseconds(expected_ms); });
  queue.Add(Due(kA, 100), 1, kStart);
  expected_ms = 101;
  EXPECT_THAT(queue.NextBatch(kStart).late, ElementsAre(1));
}

TEST(BatchQueue, BatchGrows_OnlyToHalfTheTimeOfItsFirstDeadline) {
  BatchQueue<int> queue({.max_batch = 8}, Takes(100));
  queue.Add(Due(kA, 400), 1, kStart);
  for (int i = 2; i < 9; ++i) queue.Add(Due(kA, 5000), i, kStart);
  const auto batch = queue.NextBatch(kStart);
  EXPECT_THAT(batch.tasks, ElementsAre(1, 2));
  EXPECT_EQ(batch.reason, CloseReason::kDeadline);
  EXPECT_EQ(queue.NextBatch(kStart).tasks.size(), 6U);
}

TEST(BatchQueue, MaxDelay_WaitsForCompany_FromTheFirstArrival) {
  BatchQueue<int> queue({.max_batch = 8, .max_delay = absl::Milliseconds(20)});
  queue.Add(NoDeadline(kA), 1, kStart);
  EXPECT_EQ(queue.NextBatch(kStart).wake_up, At(20));
  queue.Add(NoDeadline(kA), 2, At(15));
  EXPECT_THAT(queue.NextBatch(At(19)).tasks, IsEmpty());
  const auto batch = queue.NextBatch(At(20));
  EXPECT_THAT(batch.tasks, ElementsAre(1, 2));
  EXPECT_EQ(batch.reason, CloseReason::kDelay);
}

TEST(BatchQueue, MaxDelay_IsOverWhenTheBatchIsFullOrOutOfTokens) {
  BatchQueue<int> queue({.max_batch = 2, .max_tokens = 10, .max_delay = absl::Milliseconds(20)});
  queue.Add(NoDeadline(kA), 1, kStart);
  queue.Add(NoDeadline(kA), 2, kStart);
  EXPECT_EQ(queue.NextBatch(kStart).reason, CloseReason::kFull);
  queue.Add(NoDeadline(kA, 10), 3, kStart);
  EXPECT_EQ(queue.NextBatch(kStart).reason, CloseReason::kTokens);
}

TEST(BatchQueue, MaxDelay_DoesNotMakeATaskLate) {
  BatchQueue<int> queue({.max_batch = 8, .max_delay = absl::Milliseconds(20)}, Takes(100));
  queue.Add(Due(kA, 119), 1, kStart);
  const auto batch = queue.NextBatch(kStart);
  EXPECT_THAT(batch.tasks, ElementsAre(1));
  EXPECT_EQ(batch.reason, CloseReason::kDeadline);
}

TEST(BatchQueue, BucketThatWaits_DoesNotHoldUpOneThatIsReady) {
  BatchQueue<int> queue({.max_batch = 2, .max_delay = absl::Milliseconds(20)});
  queue.Add(Due(kA, 500), 1, kStart);
  queue.Add(Due(kB, 900), 2, kStart);
  queue.Add(Due(kB, 900), 3, kStart);
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(2, 3));
  EXPECT_EQ(queue.NextBatch(kStart).wake_up, At(20));
}

TEST(BatchQueue, Drain_DoesNotWait) {
  BatchQueue<int> queue({.max_batch = 8, .max_delay = absl::Hours(1)});
  queue.Add(NoDeadline(kA), 1, kStart);
  queue.Drain();
  EXPECT_EQ(queue.NextBatch(kStart).reason, CloseReason::kDrain);
}

TEST(BatchQueue, Remove_GivesTheTaskBackOnce) {
  BatchQueue<int> queue({.max_batch = 8});
  const Ticket one = queue.Add(NoDeadline(kA), 1, kStart);
  const Ticket two = queue.Add(NoDeadline(kA), 2, kStart);
  EXPECT_EQ(queue.Remove(one), std::optional<int>(1));
  EXPECT_EQ(queue.Remove(one), std::nullopt);
  EXPECT_THAT(queue.NextBatch(kStart).tasks, ElementsAre(2));
  EXPECT_EQ(queue.Remove(two), std::nullopt);
  EXPECT_EQ(queue.Remove(99), std::nullopt);
}

TEST(BatchQueue, CloseReasons_HaveNamesOfTheirOwn) {
  EXPECT_EQ(CloseReasonName(CloseReason::kFull), "full");
  EXPECT_EQ(CloseReasonName(CloseReason::kDrain), "drain");
}

}  // namespace
}  // namespace objectdino
