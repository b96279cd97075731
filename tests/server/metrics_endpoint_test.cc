// SPDX-License-Identifier: Apache-2.0
#include "server/metrics_endpoint.h"

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

TEST(MetricsEndpoint, FreePort_IsReported) {
  const auto endpoint = MetricsEndpoint::Start({"127.0.0.1", 0});
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_EQ((*endpoint)->address().host, "127.0.0.1");
  EXPECT_GT((*endpoint)->address().port, 0);
}

TEST(MetricsEndpoint, TakenPort_IsOneClearError) {
  const auto endpoint = MetricsEndpoint::Start({"127.0.0.1", 0});
  ASSERT_TRUE(endpoint.ok()) << endpoint.status();
  EXPECT_THAT(MetricsEndpoint::Start((*endpoint)->address()),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition,
                                ::testing::HasSubstr((*endpoint)->address().ToString())));
}

}  // namespace
}  // namespace objectdino
