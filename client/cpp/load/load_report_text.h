// SPDX-License-Identifier: Apache-2.0
// A load's figures for people and for programs. Thread-safety: pure functions.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_LOAD_REPORT_TEXT_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_LOAD_REPORT_TEXT_H_

#include <cstddef>
#include <string>

#include "nlohmann/json.hpp"

#include "client/cpp/load/load_options.h"
#include "client/cpp/load/load_report.h"

namespace objectdino {

// What the load was.
struct LoadSetup {
  std::string server;
  LoadOptions options;
  size_t images = 0;
  size_t image_bytes = 0;
};

// A table.
std::string LoadReportText(const LoadSetup& setup, const LoadReport& report);

// One object; names carry their units and do not change. LoadReport says what each figure is.
//   setup                   server, mode ("closed" or "open"), concurrency (closed) or
//                           rate_per_second (open), duration_seconds or requests, and the other
//                           options
//   window_seconds, interrupted, warnings [text]
//   requests                offered, dropped, sent, unfinished, completed
//   throughput_per_second   of OK answers
//   goodput_per_second, goodput_share   of OK answers in time
//   latency_ms, rejection_latency_ms, generator.lag_ms, stages_ms.<stage>
//                           count, mean, p50, p90, p99, p99_9, max
//   codes                   {"OK": n, ...}; errors: the first message of each
//   bad_input               sent, refused, turned_away, unexpected
//   cancellations           planned, cancelled
//   attempts                total, retried_requests, max
//   batch_size              mean, max
//   request_bytes, response_bytes
//   generator               lag_ms, cpu_ms_per_attempt
//   series                  [{second, offered, sent, ok, rejected, other}]
nlohmann::ordered_json LoadReportJson(const LoadSetup& setup, const LoadReport& report);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_LOAD_REPORT_TEXT_H_
