// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace objectdino {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LoadSetup ExampleSetup() {
  LoadSetup setup;
  setup.server = "host:1";
  setup.options.concurrency = 4;
  setup.images = 3;
  setup.image_bytes = 1000;
  return setup;
}

LoadReport ExampleReport() {
  LoadReport report;
  report.window_s = 10;
  report.offered = report.sent = report.completed = 12;
  report.codes = {{StatusCode::OK, 11}, {StatusCode::RESOURCE_EXHAUSTED, 1}};
  report.errors = {{StatusCode::RESOURCE_EXHAUSTED, "no\nplace"}};
  report.ok_ms = Describe({1.5, 2.5});
  report.ok_per_s = 1.1;
  report.in_time_per_s = 1.0;
  report.in_time_share = 0.75;
  report.series = {{-1, 1, 1, 0, 0, 0}, {0, 2, 2, 3, 4, 5}};
  return report;
}

std::vector<std::string> Keys(const nlohmann::ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, _] : object.items()) keys.push_back(key);
  return keys;
}

TEST(LoadReportTextTest, LoadReportText_Report_FiguresWithoutTheEmptyRows) {
  const std::string text = LoadReportText(ExampleSetup(), ExampleReport());
  EXPECT_THAT(text, HasSubstr("host:1, closed loop of 4, 10 s after 0 s of warm-up"));
  EXPECT_THAT(text, HasSubstr("12 offered, 12 sent, 12 completed, 0 dropped, 0 unfinished"));
  EXPECT_THAT(text, HasSubstr("throughput 1.10 OK/s, goodput 1.00 OK in time/s; 75.00 % in time"));
  EXPECT_THAT(text, HasSubstr("1 RESOURCE_EXHAUSTED, as in: no place\n"));
  EXPECT_THAT(text, Not(HasSubstr("rejected  ")));
  EXPECT_THAT(text, Not(HasSubstr("bad input")));
  EXPECT_THAT(text, Not(HasSubstr("cancelled")));
}

TEST(LoadReportTextTest, LoadReportJson_Names_AreThoseDocumented) {
  const auto json = LoadReportJson(ExampleSetup(), ExampleReport());
  EXPECT_THAT(Keys(json),
              ElementsAre("setup", "window_seconds", "interrupted", "warnings", "requests",
                          "throughput_per_second", "goodput_per_second", "goodput_share",
                          "latency_ms", "rejection_latency_ms", "codes", "errors", "bad_input",
                          "cancellations", "attempts", "stages_ms", "batch_size", "request_bytes",
                          "response_bytes", "generator", "series"));
  const auto distribution = ElementsAre("count", "mean", "p50", "p90", "p99", "p99_9", "max");
  EXPECT_THAT(Keys(json["latency_ms"]), distribution);
  EXPECT_THAT(Keys(json["generator"]["lag_ms"]), distribution);
  EXPECT_THAT(Keys(json["stages_ms"]), ElementsAre("decode", "preprocess", "queue", "backbone",
                                                   "heads", "objects", "masks", "encode"));
  EXPECT_THAT(Keys(json["stages_ms"]["queue"]), distribution);
}

TEST(LoadReportTextTest, LoadReportJson_Values_AreTheReports) {
  const auto json = LoadReportJson(ExampleSetup(), ExampleReport());
  EXPECT_EQ(json["setup"]["mode"], "closed");
  EXPECT_EQ(json["setup"]["concurrency"], 4);
  EXPECT_EQ(json["latency_ms"]["max"], 2.5);
  EXPECT_EQ(json["codes"]["RESOURCE_EXHAUSTED"], 1);
  EXPECT_EQ(json["errors"]["RESOURCE_EXHAUSTED"], "no\nplace");
  EXPECT_EQ(json["goodput_share"], 0.75);
  EXPECT_EQ(json["series"][1], nlohmann::ordered_json::parse(
                                   R"({"second": 0, "offered": 2, "sent": 2, "ok": 3,
                                       "rejected": 4, "other": 5})"));
}

TEST(LoadReportTextTest, LoadReportJson_OpenLoopOfRequests_SetupSaysSo) {
  LoadSetup setup = ExampleSetup();
  setup.options.rate = 2.5;
  setup.options.requests = 40;
  const auto json = LoadReportJson(setup, ExampleReport())["setup"];
  EXPECT_EQ(json["mode"], "open");
  EXPECT_EQ(json["rate_per_second"], 2.5);
  EXPECT_EQ(json["requests"], 40);
  EXPECT_FALSE(json.contains("concurrency"));
  EXPECT_FALSE(json.contains("duration_seconds"));
}

}  // namespace
}  // namespace objectdino
