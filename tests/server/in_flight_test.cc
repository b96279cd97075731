// SPDX-License-Identifier: Apache-2.0
#include "server/in_flight.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "server/request_error.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

TEST(InFlight, AboveTheBudget_IsExhaustedWithARetryDelay) {
  InFlight in_flight(100);
  auto first = in_flight.Enter(60);
  ASSERT_THAT(first.status(), IsOk());
  const absl::Status second = in_flight.Enter(41).status();
  EXPECT_THAT(second, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limit of 100")));
  EXPECT_TRUE(RetryDelayOf(second).has_value());
  EXPECT_THAT(in_flight.Enter(40).status(), IsOk());
}

TEST(InFlight, EmptyHouse_TakesAnything) {
  InFlight in_flight(100);
  EXPECT_THAT(in_flight.Enter(101).status(), IsOk());  // and it has left again
  EXPECT_EQ(in_flight.count(), 0);
  EXPECT_EQ(in_flight.bytes(), 0);
}

TEST(InFlight, Resized_MakesRoom) {
  InFlight in_flight(100);
  auto first = in_flight.Enter(90);
  first->Resize(20);
  EXPECT_EQ(in_flight.bytes(), 20);
  EXPECT_THAT(in_flight.Enter(80).status(), IsOk());
}

TEST(InFlight, MovedPlace_IsGivenBackOnce) {
  InFlight in_flight(100);
  InFlight::Place kept;
  {
    auto entered = in_flight.Enter(10);
    kept = *std::move(entered);
  }
  EXPECT_EQ(in_flight.count(), 1);
  kept.Leave();
  kept.Leave();
  EXPECT_EQ(in_flight.count(), 0);
  EXPECT_EQ(in_flight.bytes(), 0);
}

TEST(InFlight, Closed_IsUnavailable) {
  InFlight in_flight(100);
  in_flight.Close();
  EXPECT_TRUE(in_flight.closed());
  EXPECT_THAT(in_flight.Enter(1).status(), StatusIs(absl::StatusCode::kUnavailable, _));
}

TEST(InFlight, WaitUntilEmpty_NeedsThePlacesBack) {
  InFlight in_flight(100);
  EXPECT_TRUE(in_flight.WaitUntilEmpty(absl::ZeroDuration()));
  auto place = in_flight.Enter(1);
  EXPECT_FALSE(in_flight.WaitUntilEmpty(absl::ZeroDuration()));
  place->Leave();
  EXPECT_TRUE(in_flight.WaitUntilEmpty(absl::ZeroDuration()));
}

}  // namespace
}  // namespace objectdino
