// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_report_text.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace objectdino {
namespace {

using nlohmann::ordered_json;

std::string CodeName(grpc::StatusCode code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

std::string RangeText(const Range& range) {
  if (range.low == range.high) return absl::StrFormat("%g", range.low);
  return absl::StrFormat("%g .. %g", range.low, range.high);
}

std::string SetupText(const LoadSetup& setup) {
  const LoadOptions& o = setup.options;
  std::string loop = absl::StrFormat("closed loop of %d", o.concurrency);
  if (o.rate) loop = absl::StrFormat("open loop, %g requests/s", *o.rate);
  std::string length = absl::StrFormat("%g s", o.duration_s);
  if (o.requests) length = absl::StrFormat("%d requests", *o.requests);
  return absl::StrFormat(
      "load       %s, %s, %s after %g s of warm-up, deadline %s ms, seed %d%s%s%s\n"
      "images     %d, %d bytes%s\n",
      setup.server, loop, length, o.warmup_s, RangeText(o.deadline_ms), o.seed,
      o.retry ? ", with retries" : "", o.stream ? ", streamed" : "",
      o.channels > 1 ? absl::StrFormat(", %d channels", o.channels) : "", setup.images,
      setup.image_bytes,
      o.sizes.empty() ? "" : absl::StrCat(", input sizes ", absl::StrJoin(o.sizes, ", ")));
}

std::string DistributionText(const std::string& name, const Distribution& d) {
  if (d.count == 0) return "";
  return absl::StrFormat("%-10s %8d %9.2f %9.2f %9.2f %9.2f %9.2f %9.2f\n", name, d.count, d.mean,
                         d.p50, d.p90, d.p99, d.p99_9, d.max);
}

std::string LatencyText(const LoadReport& report) {
  std::string text = absl::StrFormat("%-10s %8s %9s %9s %9s %9s %9s %9s\n", "ms", "count", "mean",
                                     "p50", "p90", "p99", "p99.9", "max");
  absl::StrAppend(&text, DistributionText("OK", report.ok_ms),
                  DistributionText("rejected", report.rejected_ms));
  for (size_t stage = 0; stage < kStageNames.size(); ++stage) {
    absl::StrAppend(
        &text, DistributionText(absl::StrCat("  ", kStageNames[stage]), report.stages_ms[stage]));
  }
  absl::StrAppend(&text, DistributionText("lag", report.lag_ms));
  return text;
}

std::string CodesText(const LoadReport& report) {
  std::string text;
  for (const auto& [code, count] : report.codes) {
    absl::StrAppendFormat(&text, "%-10s %d %s", text.empty() ? "codes" : "", count, CodeName(code));
    const auto error = report.errors.find(code);
    if (error != report.errors.end() && !error->second.empty()) {
      std::string message = error->second;
      for (char& c : message) {
        if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
      }
      absl::StrAppend(&text, ", as in: ", message);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

ordered_json DistributionJson(const Distribution& d) {
  return {{"count", d.count}, {"mean", d.mean},   {"p50", d.p50}, {"p90", d.p90},
          {"p99", d.p99},     {"p99_9", d.p99_9}, {"max", d.max}};
}

ordered_json SetupJson(const LoadSetup& setup) {
  const LoadOptions& o = setup.options;
  ordered_json json;
  json["server"] = setup.server;
  json["mode"] = o.rate ? "open" : "closed";
  if (o.rate) {
    json["rate_per_second"] = *o.rate;
  } else {
    json["concurrency"] = o.concurrency;
  }
  if (o.requests) {
    json["requests"] = *o.requests;
  } else {
    json["duration_seconds"] = o.duration_s;
  }
  json["warmup_seconds"] = o.warmup_s;
  json["deadline_ms"] = {o.deadline_ms.low, o.deadline_ms.high};
  json["cancel_share"] = o.cancel_share;
  json["cancel_after_ms"] = {o.cancel_after_ms.low, o.cancel_after_ms.high};
  json["bad_share"] = o.bad_share;
  json["seed"] = o.seed;
  json["retry"] = o.retry;
  json["stream"] = o.stream;
  json["channels"] = o.channels;
  json["max_outstanding"] = o.max_outstanding;
  json["images"] = setup.images;
  json["image_bytes"] = setup.image_bytes;
  json["input_sizes"] = o.sizes;
  return json;
}

ordered_json SeriesJson(const LoadReport& report) {
  ordered_json series = ordered_json::array();
  for (const LoadReport::Second& s : report.series) {
    series.push_back({{"second", s.second},
                      {"offered", s.offered},
                      {"sent", s.sent},
                      {"ok", s.ok},
                      {"rejected", s.rejected},
                      {"other", s.other}});
  }
  return series;
}

}  // namespace

std::string LoadReportText(const LoadSetup& setup, const LoadReport& report) {
  std::string text = SetupText(setup);
  absl::StrAppendFormat(
      &text,
      "requests   %d offered, %d sent, %d completed, %d dropped, %d unfinished in %.2f s%s\n",
      report.offered, report.sent, report.completed, report.dropped, report.unfinished,
      report.window_s, report.interrupted ? ", interrupted" : "");
  absl::StrAppendFormat(
      &text, "rates      throughput %.2f OK/s, goodput %.2f OK in time/s; %.2f %% in time\n",
      report.ok_per_s, report.in_time_per_s, 100 * report.in_time_share);
  absl::StrAppend(&text, CodesText(report), LatencyText(report));
  if (report.stages_ms[0].count > 0) {
    absl::StrAppendFormat(&text, "batch      %.2f images on average, at most %d\n",
                          report.mean_batch, report.max_batch);
  }
  if (report.bad_input.sent > 0) {
    absl::StrAppendFormat(&text, "bad input  %d sent, %d refused, %d turned away, %d unexpected\n",
                          report.bad_input.sent, report.bad_input.refused,
                          report.bad_input.turned_away, report.bad_input.unexpected);
  }
  if (report.cancellations.planned > 0) {
    absl::StrAppendFormat(&text, "cancelled  %d of %d planned\n", report.cancellations.cancelled,
                          report.cancellations.planned);
  }
  if (setup.options.retry) {
    absl::StrAppendFormat(&text, "attempts   %d, %d requests tried again, at most %d of one\n",
                          report.attempts, report.retried, report.max_attempts);
  }
  absl::StrAppendFormat(&text, "bytes      %d sent, %d received\n", report.request_bytes,
                        report.response_bytes);
  absl::StrAppendFormat(&text, "generator  %.3f ms of CPU an attempt\n", report.cpu_ms_per_attempt);
  return text;
}

ordered_json LoadReportJson(const LoadSetup& setup, const LoadReport& report) {
  ordered_json json;
  json["setup"] = SetupJson(setup);
  json["window_seconds"] = report.window_s;
  json["interrupted"] = report.interrupted;
  json["warnings"] = LoadWarnings(report);
  json["requests"] = {{"offered", report.offered},
                      {"dropped", report.dropped},
                      {"sent", report.sent},
                      {"unfinished", report.unfinished},
                      {"completed", report.completed}};
  json["throughput_per_second"] = report.ok_per_s;
  json["goodput_per_second"] = report.in_time_per_s;
  json["goodput_share"] = report.in_time_share;
  json["latency_ms"] = DistributionJson(report.ok_ms);
  json["rejection_latency_ms"] = DistributionJson(report.rejected_ms);
  json["codes"] = ordered_json::object();
  for (const auto& [code, count] : report.codes) json["codes"][CodeName(code)] = count;
  json["errors"] = ordered_json::object();
  for (const auto& [code, message] : report.errors) json["errors"][CodeName(code)] = message;
  json["bad_input"] = {{"sent", report.bad_input.sent},
                       {"refused", report.bad_input.refused},
                       {"turned_away", report.bad_input.turned_away},
                       {"unexpected", report.bad_input.unexpected}};
  json["cancellations"] = {{"planned", report.cancellations.planned},
                           {"cancelled", report.cancellations.cancelled}};
  json["attempts"] = {{"total", report.attempts},
                      {"retried_requests", report.retried},
                      {"max", report.max_attempts}};
  for (size_t stage = 0; stage < kStageNames.size(); ++stage) {
    json["stages_ms"][kStageNames[stage]] = DistributionJson(report.stages_ms[stage]);
  }
  json["batch_size"] = {{"mean", report.mean_batch}, {"max", report.max_batch}};
  json["request_bytes"] = report.request_bytes;
  json["response_bytes"] = report.response_bytes;
  json["generator"] = {{"lag_ms", DistributionJson(report.lag_ms)},
                       {"cpu_ms_per_attempt", report.cpu_ms_per_attempt}};
  json["series"] = SeriesJson(report);
  return json;
}

}  // namespace objectdino
