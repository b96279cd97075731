// SPDX-License-Identifier: Apache-2.0
#include "core/batching/backlog.h"

#include <vector>

#include "gtest/gtest.h"

#include "tests/support/fake_clock.h"

namespace objectdino {
namespace {

using Outcome = Backlog::Outcome;

// Every request takes 100 ms, for sure: deviations have died out.
class BacklogTest : public ::testing::Test {
 protected:
  BacklogTest() {
    for (int i = 0; i < 200; ++i) estimate_.Observe(0, 1, absl::Milliseconds(100));
  }

  Backlog::Admission Enter(Backlog& backlog, absl::Duration time) {
    return backlog.Enter({start_ + time, 0, 1}, start_);
  }
  // How many of `tries` equal requests come in.
  int Admitted(Backlog& backlog, absl::Duration time, int tries = 100) {
    int admitted = 0;
    for (int i = 0; i < tries; ++i) {
      admitted += Enter(backlog, time).outcome == Outcome::kAdmitted;
    }
    return admitted;
  }

  testing::FakeClock clock_;
  const absl::Time start_ = clock_.Now();
  ServiceEstimate estimate_{clock_};
};

TEST_F(BacklogTest, IdleHouse_AdmitsWhatFitsIntoItsDeadline) {
  Backlog backlog({}, estimate_);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(99)).outcome, Outcome::kTooLate);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(101)).outcome, Outcome::kAdmitted);
}

TEST_F(BacklogTest, DeadlineThatHasPassed_IsTooLate) {
  Backlog backlog({}, estimate_);
  EXPECT_EQ(Enter(backlog, -absl::Seconds(5)).outcome, Outcome::kTooLate);
}

TEST_F(BacklogTest, Queue_IsAsLongAsTheDeadlineAllows) {
  // The k-th waits for k x 100 ms, at most 0.75 x (2000 - 100) = 1425 ms.
  Backlog one({.lanes = 1}, estimate_);
  EXPECT_EQ(Admitted(one, absl::Seconds(2)), 15);
  Backlog two({.lanes = 2}, estimate_);
  EXPECT_EQ(Admitted(two, absl::Seconds(2)), 30);
  Backlog to_the_edge({.lanes = 1, .headroom = 1}, estimate_);
  EXPECT_EQ(Admitted(to_the_edge, absl::Milliseconds(2001)), 20);
}

TEST_F(BacklogTest, RetryAfter_IsWhenThereIsRoom) {
  Backlog backlog({.lanes = 1}, estimate_);
  Admitted(backlog, absl::Seconds(2));
  const Backlog::Admission refused = Enter(backlog, absl::Seconds(2));
  ASSERT_EQ(refused.outcome, Outcome::kTooLate);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(refused.retry_after), 1500 - 1425, 1);
}

TEST_F(BacklogTest, RetryAfter_IsNeverAtOnceNorNever) {
  Backlog backlog({}, estimate_);
  EXPECT_GE(Enter(backlog, absl::Milliseconds(99)).retry_after, Backlog::kMinRetry);
  EXPECT_LE(Enter(backlog, -absl::Hours(5)).retry_after, kPatience);
}

TEST_F(BacklogTest, QueueFull_BoundsThoseWithoutDeadlineToo) {
  Backlog backlog({.max_queue = 5}, estimate_);
  EXPECT_EQ(Admitted(backlog, absl::InfiniteDuration()), 5);
  const Backlog::Admission refused = Enter(backlog, absl::InfiniteDuration());
  EXPECT_EQ(refused.outcome, Outcome::kQueueFull);
  EXPECT_GE(refused.retry_after, Backlog::kMinRetry);
}

TEST_F(BacklogTest, WithoutDeadline_DoesNotHoldUpThoseWithOne) {
  Backlog backlog({.max_queue = 100}, estimate_);
  EXPECT_EQ(Admitted(backlog, absl::InfiniteDuration(), 80), 80);
  EXPECT_EQ(Admitted(backlog, absl::Seconds(2), 15), 15);
}

TEST_F(BacklogTest, EarlierDeadlines_AreAhead_LaterOnesAreNot) {
  Backlog backlog({.lanes = 1}, estimate_);
  ASSERT_EQ(Admitted(backlog, absl::Seconds(10), 10), 10);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(150)).outcome, Outcome::kAdmitted);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(160)).outcome, Outcome::kTooLate)
      << "behind the one of 150 ms";
}

TEST_F(BacklogTest, NewRequest_DoesNotPushOutAnAdmittedOne) {
  Backlog backlog({.lanes = 1}, estimate_);
  ASSERT_EQ(Admitted(backlog, absl::Seconds(2)), 15);
  // The last one waits 1400 of 1900 ms; up to 7/8 of them, 1662 ms, others may come in between.
  EXPECT_EQ(Admitted(backlog, absl::Milliseconds(1900)), 2);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(150)).outcome, Outcome::kTooLate);
}

TEST_F(BacklogTest, Running_IsAheadOfAll_ForWhatIsLeftOfIt) {
  Backlog backlog({.lanes = 1}, estimate_);
  const Ticket ticket = Enter(backlog, absl::Seconds(2)).ticket;
  backlog.Start({ticket}, start_ - absl::Milliseconds(40));
  EXPECT_EQ(backlog.waiting(), 0U);
  EXPECT_EQ(backlog.running(), 1U);
  // 60 ms are left; 0.75 x (180 - 100) = 60.
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(179)).outcome, Outcome::kTooLate);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(181)).outcome, Outcome::kAdmitted);
}

TEST_F(BacklogTest, Batch_KeepsOneLaneBusyForItsSum) {
  Backlog backlog({.lanes = 2}, estimate_);
  std::vector<Ticket> batch;
  for (int i = 0; i < 3; ++i) batch.push_back(Enter(backlog, absl::Seconds(2)).ticket);
  backlog.Start(batch, start_);
  EXPECT_EQ(backlog.running(), 3U);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(101)).outcome, Outcome::kAdmitted)
      << "the other lane is free";
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(220)).outcome, Outcome::kTooLate);
  for (const Ticket ticket : batch) backlog.Finish(ticket);
  EXPECT_EQ(backlog.running(), 0U);
  EXPECT_EQ(Enter(backlog, absl::Milliseconds(220)).outcome, Outcome::kAdmitted);
}

TEST_F(BacklogTest, LaneThatHangs_IsExpectedToGoOnHanging) {
  Backlog backlog({.lanes = 1}, estimate_);
  const Ticket ticket = Enter(backlog, absl::Seconds(20)).ticket;
  backlog.Start({ticket}, start_ - absl::Seconds(5));
  EXPECT_EQ(Enter(backlog, absl::Seconds(2)).outcome, Outcome::kTooLate);
  backlog.Finish(ticket);
  EXPECT_EQ(Enter(backlog, absl::Seconds(2)).outcome, Outcome::kAdmitted);
}

TEST_F(BacklogTest, HopelessOnes_DoNotHoldUpOthers) {
  Backlog backlog({.lanes = 1}, estimate_);
  ASSERT_EQ(Admitted(backlog, absl::Milliseconds(500), 4), 4);
  // Nothing was computed for 450 ms; none of them can be answered any more.
  const absl::Time later = start_ + absl::Milliseconds(450);
  EXPECT_EQ(backlog.Enter({later + absl::Milliseconds(101), 0, 1}, later).outcome,
            Outcome::kAdmitted);
}

TEST_F(BacklogTest, HopelessOneBehind_DoesNotKeepOthersOut) {
  for (int i = 0; i < 200; ++i) estimate_.Observe(1, 4, absl::Milliseconds(400));
  Backlog backlog({.lanes = 1}, estimate_);
  ASSERT_EQ(backlog.Enter({start_ + absl::Milliseconds(500), 1, 4}, start_).outcome,
            Outcome::kAdmitted);
  // It would take until 600 ms.
  const absl::Time later = start_ + absl::Milliseconds(200);
  EXPECT_EQ(backlog.Enter({later + absl::Milliseconds(150), 0, 1}, later).outcome,
            Outcome::kAdmitted);
}

TEST_F(BacklogTest, Abandon_MakesRoom) {
  Backlog backlog({.max_queue = 1}, estimate_);
  const Ticket ticket = Enter(backlog, absl::Seconds(2)).ticket;
  EXPECT_EQ(Enter(backlog, absl::Seconds(2)).outcome, Outcome::kQueueFull);
  backlog.Abandon(ticket);
  EXPECT_EQ(backlog.waiting(), 0U);
  EXPECT_EQ(Enter(backlog, absl::Seconds(2)).outcome, Outcome::kAdmitted);
}

TEST_F(BacklogTest, CallsOutOfOrder_HaveNoEffect) {
  Backlog backlog({}, estimate_);
  const Ticket ticket = Enter(backlog, absl::Seconds(2)).ticket;
  backlog.Finish(ticket);
  EXPECT_EQ(backlog.waiting(), 1U);
  backlog.Start({ticket}, start_);
  backlog.Abandon(ticket);
  EXPECT_EQ(backlog.running(), 1U) << "it is computed all the same";
  backlog.Start({ticket, 99}, start_);
  EXPECT_EQ(backlog.running(), 1U);
  backlog.Finish(ticket);
  backlog.Finish(ticket);
  EXPECT_EQ(backlog.running(), 0U);
}

TEST_F(BacklogTest, NothingObserved_IsBoundedByTheQueueAlone) {
  const ServiceEstimate unknown(clock_);
  Backlog backlog({.max_queue = 50}, unknown);
  EXPECT_EQ(Admitted(backlog, absl::Milliseconds(1)), 50);
}

}  // namespace
}  // namespace objectdino
