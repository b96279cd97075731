// SPDX-License-Identifier: Apache-2.0
#include "server/event_log.h"

#include "gtest/gtest.h"

#include "tests/support/log_capture.h"

namespace objectdino {
namespace {

TEST(EventLog, Line_IsOneJsonObject) {
  const auto capture = std::make_shared<testing::LogCapture>();
  EventLog log(capture, "info");
  log.Warning("thing.happened", {{"id", "a\nb"}, {"ms", 1.5}});
  ASSERT_EQ(capture->lines().size(), 1U);
  const nlohmann::json line = capture->lines()[0];
  EXPECT_EQ(line["event"], "thing.happened");
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["id"], "a\nb");
  EXPECT_EQ(line["ms"], 1.5);
  EXPECT_TRUE(line.contains("time"));
}

TEST(EventLog, BelowTheLevel_IsSilent) {
  const auto capture = std::make_shared<testing::LogCapture>();
  EventLog log(capture, "warning");
  log.Info("quiet", {});
  log.Error("loud", {});
  ASSERT_EQ(capture->lines().size(), 1U);
  EXPECT_EQ(capture->lines()[0]["event"], "loud");
}

TEST(EventLog, InvalidUtf8_IsReplaced) {
  const auto capture = std::make_shared<testing::LogCapture>();
  EventLog log(capture, "info");
  log.Info("odd", {{"id", "\xff"}});
  EXPECT_EQ(capture->lines()[0]["id"], "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace objectdino
