// SPDX-License-Identifier: Apache-2.0
// What the queue promises, over random sequences of events.
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "core/batching/batch_queue.h"
#include "tests/support/batch_queue_events.h"

namespace objectdino {
namespace {

TEST(BatchQueueProperty, RandomEvents_KeepEveryPromise) {
  constexpr int kSequences = 5000;
  std::mt19937 random(20240607);
  int computed = 0;
  int late = 0;
  int removed = 0;
  for (int sequence = 0; sequence < kSequences; ++sequence) {
    std::vector<uint8_t> bytes(10 + random() % 600);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    testing::BatchQueueEvents events(bytes);
    ASSERT_EQ(events.Run(), "") << "sequence " << sequence;
    computed += events.computed();
    late += events.late();
    removed += events.removed();
  }
  // The events reach all three ways out.
  EXPECT_GT(computed, 10 * kSequences);
  EXPECT_GT(late, kSequences);
  EXPECT_GT(removed, kSequences);
}

// One lane, computing all the time, and twice as many urgent tasks as it can compute.
void ExpectServedWithinPatience(uint64_t bucket, absl::Time deadline_in_an_hour_or_never) {
  constexpr absl::Duration kService = absl::Milliseconds(100);
  const absl::Time start = absl::FromUnixSeconds(1'000'000'000);
  BatchQueue<int> queue({.max_batch = 2}, [&](const TaskTraits&) { return kService; });
  constexpr int kPatient = -1;
  queue.Add({bucket, 1, deadline_in_an_hour_or_never}, kPatient, start);
  absl::Time now = start;
  for (int i = 0; now < start + 2 * kPatience; ++i) {
    for (int k = 0; k < 4; ++k) queue.Add({1, 1, now + absl::Seconds(2)}, i, now);
    for (const int task : queue.NextBatch(now).tasks) {
      if (task != kPatient) continue;
      EXPECT_LE(now - start, kPatience);
      EXPECT_GT(now - start, kPatience - absl::Seconds(3)) << "not before tighter deadlines";
      return;
    }
    now += 2 * kService;
  }
  FAIL() << "starved";
}

TEST(BatchQueueProperty, WithoutDeadline_DoesNotStarve) {
  ExpectServedWithinPatience(/*bucket=*/1, absl::InfiniteFuture());
  ExpectServedWithinPatience(/*bucket=*/2, absl::InfiniteFuture());
}

TEST(BatchQueueProperty, FarDeadline_DoesNotStarve) {
  ExpectServedWithinPatience(/*bucket=*/2, absl::FromUnixSeconds(1'000'003'600));
}

}  // namespace
}  // namespace objectdino
