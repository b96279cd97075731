// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace objectdino {
namespace {

using grpc::StatusCode;

constexpr double kMaterialLagMs = 5;  // at p99

using StageValue = float (v1::Timing::*)() const;
constexpr std::array<StageValue, kStageNames.size()> kStageValues = {
    &v1::Timing::decode_ms,   &v1::Timing::preprocess_ms, &v1::Timing::queue_ms,
    &v1::Timing::backbone_ms, &v1::Timing::heads_ms,      &v1::Timing::objects_ms,
    &v1::Timing::masks_ms,    &v1::Timing::encode_ms};

double Ms(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

bool IsPlain(const Outcome& outcome) { return !outcome.bad_input && !outcome.cancel_planned; }
bool IsOk(const Outcome& outcome) {
  return !outcome.dropped && !outcome.unfinished && outcome.code == StatusCode::OK;
}
bool IsInTime(const Outcome& outcome) {
  return IsOk(outcome) && outcome.latency() <= outcome.deadline;
}

void AddBadInput(const Outcome& outcome, LoadReport& report) {
  ++report.bad_input.sent;
  if (outcome.unfinished || outcome.code == StatusCode::RESOURCE_EXHAUSTED ||
      outcome.code == StatusCode::DEADLINE_EXCEEDED || outcome.code == StatusCode::UNAVAILABLE) {
    ++report.bad_input.turned_away;
  } else if (outcome.code == StatusCode::INVALID_ARGUMENT) {
    ++report.bad_input.refused;
  } else {
    ++report.bad_input.unexpected;
  }
}

void AddCounts(const Outcome& outcome, LoadReport& report) {
  ++report.offered;
  if (outcome.dropped) {
    ++report.dropped;
    return;
  }
  ++report.sent;
  report.request_bytes += outcome.request_bytes;
  if (outcome.bad_input) AddBadInput(outcome, report);
  if (outcome.cancel_planned) ++report.cancellations.planned;
  if (outcome.unfinished) {
    ++report.unfinished;
    return;
  }
  ++report.completed;
  ++report.codes[outcome.code];
  if (outcome.cancel_planned && outcome.code == StatusCode::CANCELLED)
    ++report.cancellations.cancelled;
  if (outcome.code == StatusCode::OK) report.response_bytes += outcome.response_bytes;
  report.attempts += outcome.attempts;
  if (outcome.attempts > 1) ++report.retried;
  report.max_attempts = std::max<size_t>(report.max_attempts, outcome.attempts);
}

void AddLatencies(const LoadRecord& record, LoadReport& report) {
  std::vector<double> ok, rejected, lag;
  for (const Outcome& outcome : record.outcomes) {
    if (!outcome.counts || outcome.dropped) continue;
    lag.push_back(Ms(outcome.sent - outcome.due));
    if (outcome.unfinished || !IsPlain(outcome)) continue;
    if (outcome.code == StatusCode::OK) ok.push_back(Ms(outcome.latency()));
    if (outcome.code == StatusCode::RESOURCE_EXHAUSTED) rejected.push_back(Ms(outcome.latency()));
  }
  report.ok_ms = Describe(std::move(ok));
  report.rejected_ms = Describe(std::move(rejected));
  report.lag_ms = Describe(std::move(lag));
}

void AddRates(const LoadRecord& record, LoadReport& report) {
  size_t ok = 0, in_time = 0, plain = 0, plain_in_time = 0;
  for (const Outcome& outcome : record.outcomes) {
    if (!IsPlain(outcome)) continue;
    const bool in_window = outcome.answered >= record.begin && outcome.answered <= record.end;
    if (in_window && IsOk(outcome)) ++ok;
    if (in_window && IsInTime(outcome)) ++in_time;
    if (outcome.counts) ++plain;
    if (outcome.counts && IsInTime(outcome)) ++plain_in_time;
  }
  if (report.window_s > 0) {
    report.ok_per_s = static_cast<double>(ok) / report.window_s;
    report.in_time_per_s = static_cast<double>(in_time) / report.window_s;
  }
  if (plain > 0) {
    report.in_time_share = static_cast<double>(plain_in_time) / static_cast<double>(plain);
  }
}

void AddStages(const std::vector<v1::Timing>& timings, LoadReport& report) {
  for (size_t stage = 0; stage < kStageNames.size(); ++stage) {
    std::vector<double> values;
    values.reserve(timings.size());
    for (const v1::Timing& timing : timings) values.push_back((timing.*kStageValues[stage])());
    report.stages_ms[stage] = Describe(std::move(values));
  }
  double sum = 0;
  for (const v1::Timing& timing : timings) {
    sum += timing.batch_size();
    report.max_batch = std::max(report.max_batch, timing.batch_size());
  }
  if (!timings.empty()) report.mean_batch = sum / static_cast<double>(timings.size());
}

void AddSeries(const LoadRecord& record, LoadReport& report) {
  std::map<int, LoadReport::Second> seconds;
  const auto at = [&](absl::Duration time) -> LoadReport::Second& {
    return seconds[static_cast<int>(std::floor(absl::ToDoubleSeconds(time - record.begin)))];
  };
  for (const Outcome& outcome : record.outcomes) {
    ++at(outcome.due).offered;
    if (outcome.dropped) continue;
    ++at(outcome.sent).sent;
    if (outcome.unfinished) continue;
    LoadReport::Second& second = at(outcome.answered);
    if (outcome.code == StatusCode::OK) {
      ++second.ok;
    } else if (outcome.code == StatusCode::RESOURCE_EXHAUSTED) {
      ++second.rejected;
    } else {
      ++second.other;
    }
  }
  if (seconds.empty()) return;
  for (int second = seconds.begin()->first; second <= seconds.rbegin()->first; ++second) {
    seconds[second].second = second;  // those without anything, too
  }
  for (const auto& [_, second] : seconds) report.series.push_back(second);
}

}  // namespace

bool LoadReport::answered() const {
  return codes.contains(StatusCode::OK) || codes.contains(StatusCode::RESOURCE_EXHAUSTED) ||
         codes.contains(StatusCode::INVALID_ARGUMENT);
}

LoadReport MakeLoadReport(const LoadRecord& record) {
  LoadReport report;
  report.window_s = std::max(0.0, absl::ToDoubleSeconds(record.end - record.begin));
  report.interrupted = record.interrupted;
  report.errors = record.errors;
  for (const Outcome& outcome : record.outcomes) {
    if (outcome.counts) AddCounts(outcome, report);
  }
  AddLatencies(record, report);
  AddRates(record, report);
  AddStages(record.timings, report);
  AddSeries(record, report);
  if (record.attempts > 0) {
    report.cpu_ms_per_attempt = 1000 * record.cpu_s / static_cast<double>(record.attempts);
  }
  return report;
}

std::vector<std::string> LoadWarnings(const LoadReport& report) {
  std::vector<std::string> warnings;
  if (report.dropped > 0) {
    warnings.push_back(
        absl::StrCat(report.dropped, " requests were not sent: too many were outstanding"));
  }
  if (report.unfinished > 0 && !report.interrupted) {
    warnings.push_back(
        absl::StrCat(report.unfinished, " requests had no end long after their deadline"));
  }
  if (report.lag_ms.p99 > kMaterialLagMs) {
    warnings.push_back(absl::StrFormat(
        "the generator lagged: 1 %% of the requests were sent more than %.1f ms late",
        report.lag_ms.p99));
  }
  if (report.bad_input.unexpected > 0) {
    warnings.push_back(absl::StrCat(report.bad_input.unexpected,
                                    " requests with bad input were not refused as such"));
  }
  return warnings;
}

}  // namespace objectdino
