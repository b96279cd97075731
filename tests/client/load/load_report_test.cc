// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace objectdino {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Due and answered in milliseconds after the warm-up, which takes 1 s.
Outcome Request(int due_ms, int answered_ms, StatusCode code = StatusCode::OK) {
  Outcome outcome;
  outcome.due = absl::Seconds(1) + absl::Milliseconds(due_ms);
  outcome.sent = outcome.due + absl::Milliseconds(1);
  outcome.answered = absl::Seconds(1) + absl::Milliseconds(answered_ms);
  outcome.deadline = absl::Milliseconds(500);
  outcome.code = code;
  outcome.request_bytes = 10;
  outcome.response_bytes = 100;
  outcome.counts = due_ms >= 0;
  return outcome;
}

LoadRecord Record(std::vector<Outcome> outcomes) {
  LoadRecord record;
  record.outcomes = std::move(outcomes);
  record.begin = absl::Seconds(1);
  record.end = absl::Seconds(3);
  return record;
}

TEST(LoadReportTest, MakeLoadReport_Latency_FromWhenDue) {
  const LoadReport report = MakeLoadReport(Record({Request(0, 100), Request(10, 310)}));
  EXPECT_EQ(report.ok_ms.count, 2U);
  EXPECT_EQ(report.ok_ms.p50, 100);
  EXPECT_EQ(report.ok_ms.max, 300);
  EXPECT_EQ(report.lag_ms.max, 1);
}

TEST(LoadReportTest, MakeLoadReport_Rates_AnswersWithinTheWindowWheneverDue) {
  const LoadReport report = MakeLoadReport(Record({
      Request(-900, -100),  // over before the window
      Request(-300, 100),   // due in the warm-up, answered in the window
      Request(100, 200), Request(200, 1900), Request(1900, 2100),  // answered after the window
  }));
  EXPECT_EQ(report.window_s, 2);
  EXPECT_EQ(report.ok_per_s, 3 / 2.0);
  EXPECT_EQ(report.in_time_per_s, 2 / 2.0);
  EXPECT_EQ(report.offered, 3U);
  EXPECT_EQ(report.ok_ms.count, 3U);
  EXPECT_EQ(report.in_time_share, 2 / 3.0);  // the one of 1700 ms is late
  EXPECT_EQ(report.request_bytes, 30U);
  EXPECT_EQ(report.response_bytes, 300U);
}

TEST(LoadReportTest, MakeLoadReport_Codes_RejectionsHaveTheirOwnLatency) {
  const LoadReport report =
      MakeLoadReport(Record({Request(0, 100), Request(0, 5, StatusCode::RESOURCE_EXHAUSTED),
                             Request(0, 7, StatusCode::RESOURCE_EXHAUSTED),
                             Request(0, 500, StatusCode::DEADLINE_EXCEEDED)}));
  EXPECT_EQ(report.codes.at(StatusCode::OK), 1U);
  EXPECT_EQ(report.codes.at(StatusCode::RESOURCE_EXHAUSTED), 2U);
  EXPECT_EQ(report.codes.at(StatusCode::DEADLINE_EXCEEDED), 1U);
  EXPECT_EQ(report.ok_ms.count, 1U);
  EXPECT_EQ(report.rejected_ms.count, 2U);
  EXPECT_EQ(report.rejected_ms.max, 7);
  EXPECT_EQ(report.in_time_share, 0.25);
  EXPECT_TRUE(report.answered());
}

TEST(LoadReportTest, MakeLoadReport_BadInput_ApartFromEverythingElse) {
  std::vector<Outcome> outcomes = {
      Request(0, 1, StatusCode::INVALID_ARGUMENT), Request(0, 1, StatusCode::RESOURCE_EXHAUSTED),
      Request(0, 1, StatusCode::OK), Request(0, 1, StatusCode::INTERNAL)};
  for (Outcome& outcome : outcomes) outcome.bad_input = true;
  outcomes.push_back(Request(0, 100));
  const LoadReport report = MakeLoadReport(Record(outcomes));
  EXPECT_EQ(report.bad_input.sent, 4U);
  EXPECT_EQ(report.bad_input.refused, 1U);
  EXPECT_EQ(report.bad_input.turned_away, 1U);
  EXPECT_EQ(report.bad_input.unexpected, 2U);
  EXPECT_EQ(report.ok_ms.count, 1U);
  EXPECT_EQ(report.ok_ms.max, 100);
  EXPECT_EQ(report.rejected_ms.count, 0U);
  EXPECT_EQ(report.ok_per_s, 0.5);
  EXPECT_EQ(report.in_time_share, 1);
  EXPECT_THAT(LoadWarnings(report), ElementsAre(HasSubstr("2 requests with bad input")));
}

TEST(LoadReportTest, MakeLoadReport_Cancellations_ApartFromEverythingElse) {
  std::vector<Outcome> outcomes = {Request(0, 20, StatusCode::CANCELLED), Request(0, 10)};
  for (Outcome& outcome : outcomes) outcome.cancel_planned = true;
  outcomes.push_back(Request(0, 100));
  const LoadReport report = MakeLoadReport(Record(outcomes));
  EXPECT_EQ(report.cancellations.planned, 2U);
  EXPECT_EQ(report.cancellations.cancelled, 1U);
  EXPECT_EQ(report.ok_ms.count, 1U);
  EXPECT_EQ(report.in_time_share, 1);
}

TEST(LoadReportTest, MakeLoadReport_DroppedAndUnfinished_MissingInTime) {
  std::vector<Outcome> outcomes = {Request(0, 0), Request(0, 400), Request(0, 100)};
  outcomes[0].dropped = true;
  outcomes[1].unfinished = true;
  const LoadReport report = MakeLoadReport(Record(outcomes));
  EXPECT_EQ(report.offered, 3U);
  EXPECT_EQ(report.dropped, 1U);
  EXPECT_EQ(report.sent, 2U);
  EXPECT_EQ(report.unfinished, 1U);
  EXPECT_EQ(report.completed, 1U);
  EXPECT_EQ(report.in_time_share, 1 / 3.0);
  EXPECT_THAT(LoadWarnings(report),
              ElementsAre(HasSubstr("1 requests were not sent"), HasSubstr("had no end")));
}

TEST(LoadReportTest, MakeLoadReport_Attempts_CountedByRequest) {
  std::vector<Outcome> outcomes = {Request(0, 100), Request(0, 400)};
  outcomes[1].attempts = 4;
  LoadRecord record = Record(outcomes);
  record.attempts = 5;
  record.cpu_s = 0.001;
  const LoadReport report = MakeLoadReport(record);
  EXPECT_EQ(report.attempts, 5U);
  EXPECT_EQ(report.retried, 1U);
  EXPECT_EQ(report.max_attempts, 4U);
  EXPECT_DOUBLE_EQ(report.cpu_ms_per_attempt, 0.2);
}

TEST(LoadReportTest, MakeLoadReport_Stages_EachFromItsField) {
  LoadRecord record = Record({Request(0, 100)});
  v1::Timing timing;
  timing.set_decode_ms(1);
  timing.set_preprocess_ms(2);
  timing.set_queue_ms(3);
  timing.set_backbone_ms(4);
  timing.set_heads_ms(5);
  timing.set_objects_ms(6);
  timing.set_masks_ms(7);
  timing.set_encode_ms(8);
  timing.set_batch_size(2);
  record.timings = {timing};
  timing.set_batch_size(5);
  record.timings.push_back(timing);
  const LoadReport report = MakeLoadReport(record);
  for (size_t stage = 0; stage < kStageNames.size(); ++stage) {
    EXPECT_EQ(report.stages_ms[stage].count, 2U);
    EXPECT_EQ(report.stages_ms[stage].p50, static_cast<double>(stage + 1)) << kStageNames[stage];
  }
  EXPECT_EQ(report.mean_batch, 3.5);
  EXPECT_EQ(report.max_batch, 5U);
}

TEST(LoadReportTest, MakeLoadReport_Series_EverySecondFromTheWarmUpOn) {
  const LoadReport report = MakeLoadReport(Record(
      {Request(-500, -200), Request(100, 2300), Request(200, 300, StatusCode::RESOURCE_EXHAUSTED),
       Request(2100, 2200, StatusCode::UNAVAILABLE)}));
  std::vector<std::vector<int>> rows;
  for (const LoadReport::Second& s : report.series) {
    rows.push_back({s.second, static_cast<int>(s.offered), static_cast<int>(s.sent),
                    static_cast<int>(s.ok), static_cast<int>(s.rejected),
                    static_cast<int>(s.other)});
  }
  EXPECT_THAT(rows, ElementsAre(ElementsAre(-1, 1, 1, 1, 0, 0), ElementsAre(0, 2, 2, 0, 1, 0),
                                ElementsAre(1, 0, 0, 0, 0, 0), ElementsAre(2, 1, 1, 1, 0, 1)));
}

TEST(LoadReportTest, MakeLoadReport_Nothing_ZeroesAndNoAnswer) {
  LoadRecord record = Record({});
  record.end = absl::ZeroDuration();  // interrupted in the warm-up
  const LoadReport report = MakeLoadReport(record);
  EXPECT_EQ(report.window_s, 0);
  EXPECT_EQ(report.ok_per_s, 0);
  EXPECT_THAT(report.series, IsEmpty());
  EXPECT_FALSE(report.answered());
}

TEST(LoadReportTest, LoadWarnings_Lag_OnlyWhereItIsMaterial) {
  Outcome late = Request(0, 100);
  late.sent = late.due + absl::Milliseconds(4);
  EXPECT_THAT(LoadWarnings(MakeLoadReport(Record({late}))), IsEmpty());
  late.sent = late.due + absl::Milliseconds(20);
  EXPECT_THAT(LoadWarnings(MakeLoadReport(Record({late}))),
              ElementsAre(HasSubstr("more than 20.0 ms late")));
}

}  // namespace
}  // namespace objectdino
