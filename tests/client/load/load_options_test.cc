// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_options.h"

#include <cmath>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <utility>

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(LoadOptionsTest, ParseRange_OneOrTwoNumbers_Range) {
  const auto two = ParseRange("1.5:50");
  ASSERT_THAT(two, IsOk());
  EXPECT_EQ(two->low, 1.5);
  EXPECT_EQ(two->high, 50);
  const auto one = ParseRange("20");
  ASSERT_THAT(one, IsOk());
  EXPECT_EQ(one->low, 20);
  EXPECT_EQ(one->high, 20);
}

TEST(LoadOptionsTest, ParseRange_AnythingElse_InvalidArgument) {
  for (const char* text : {"", ":", "1:", ":1", "1:2:3", "a:b", "1-2"}) {
    EXPECT_THAT(ParseRange(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text)))
        << text;
  }
}

TEST(LoadOptionsTest, Validate_Defaults_Ok) { EXPECT_THAT(LoadOptions().Validate(), IsOk()); }

TEST(LoadOptionsTest, Validate_OutOfRange_InvalidArgumentNamesTheFlag) {
  using Change = std::function<void(LoadOptions&)>;
  const std::vector<std::pair<const char*, Change>> cases = {
      {"--concurrency", [](LoadOptions& o) { o.concurrency = 0; }},
      {"--concurrency", [](LoadOptions& o) { o.concurrency = 10'001; }},
      {"--rate", [](LoadOptions& o) { o.rate = 0; }},
      {"--rate", [](LoadOptions& o) { o.rate = kNan; }},
      {"--rate", [](LoadOptions& o) { o.rate = kInfinity; }},
      {"--duration", [](LoadOptions& o) { o.duration_s = 0; }},
      {"--duration", [](LoadOptions& o) { o.duration_s = kNan; }},
      {"--requests", [](LoadOptions& o) { o.requests = 0; }},
      {"--warmup", [](LoadOptions& o) { o.warmup_s = -1; }},
      {"--warmup", [](LoadOptions& o) { o.warmup_s = kInfinity; }},
      {"--deadline",
       [](LoadOptions& o) {
         o.deadline_ms = {0, 10};
       }},
      {"--deadline",
       [](LoadOptions& o) {
         o.deadline_ms = {10, 5};
       }},
      {"--deadline",
       [](LoadOptions& o) {
         o.deadline_ms = {10, kInfinity};
       }},
      {"--cancel-share", [](LoadOptions& o) { o.cancel_share = 1.1; }},
      {"--cancel-share", [](LoadOptions& o) { o.cancel_share = kNan; }},
      {"--cancel-after",
       [](LoadOptions& o) {
         o.cancel_after_ms = {-1, 5};
       }},
      {"--cancel-after",
       [](LoadOptions& o) {
         o.cancel_after_ms = {5, 4};
       }},
      {"--bad-share", [](LoadOptions& o) { o.bad_share = -0.1; }},
      {"--sizes",
       [](LoadOptions& o) {
         o.sizes = {224, 0};
       }},
      {"--channels", [](LoadOptions& o) { o.channels = 0; }},
      {"--max-outstanding", [](LoadOptions& o) { o.max_outstanding = 0; }},
      {"--max-outstanding",
       [](LoadOptions& o) {
         o.concurrency = 5;
         o.max_outstanding = 4;
       }},
      {"--stream",
       [](LoadOptions& o) {
         o.stream = true;
         o.cancel_share = 0.1;
       }},
  };
  for (const auto& [flag, change] : cases) {
    LoadOptions options;
    change(options);
    EXPECT_THAT(options.Validate(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(flag)));
  }
}

}  // namespace
}  // namespace objectdino
