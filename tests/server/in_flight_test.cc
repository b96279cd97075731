// SPDX-License-Identifier: Apache-2.0
#include "server/in_flight.h"

#include "gtest/gtest.h"

#include "server/request_error.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using testing::IsOk;
using testing::StatusIs;

TEST(InFlight, AboveTheLimit_IsExhaustedWithARetryDelay) {
  InFlight in_flight(2);
  EXPECT_THAT(in_flight.Enter(), IsOk());
  EXPECT_THAT(in_flight.Enter(), IsOk());
  const absl::Status third = in_flight.Enter();
  EXPECT_THAT(third, StatusIs(absl::StatusCode::kResourceExhausted, ::testing::HasSubstr("2")));
  EXPECT_TRUE(RetryDelayOf(third).has_value());
}

TEST(InFlight, PlaceGivenBack_IsTakenAgainBeforeTheAnswerIsOut) {
  InFlight in_flight(1);
  ASSERT_THAT(in_flight.Enter(), IsOk());
  in_flight.Leave();
  EXPECT_THAT(in_flight.Enter(), IsOk());
}

TEST(InFlight, Closed_IsUnavailable) {
  InFlight in_flight(1);
  in_flight.Close();
  EXPECT_THAT(in_flight.Enter(), StatusIs(absl::StatusCode::kUnavailable, _));
}

TEST(InFlight, WaitUntilEmpty_NeedsDoneNotLeave) {
  InFlight in_flight(1);
  EXPECT_TRUE(in_flight.WaitUntilEmpty(absl::ZeroDuration()));
  ASSERT_THAT(in_flight.Enter(), IsOk());
  in_flight.Leave();
  EXPECT_FALSE(in_flight.WaitUntilEmpty(absl::ZeroDuration()));
  in_flight.Done();
  EXPECT_TRUE(in_flight.WaitUntilEmpty(absl::ZeroDuration()));
}

}  // namespace
}  // namespace objectdino
