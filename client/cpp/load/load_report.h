// SPDX-License-Identifier: Apache-2.0
// The figures of a load, from what became of its requests.
//
// Requests count that were due after the warm-up. Rates are answers that arrived between `begin`
// and `end` of the record, whenever their requests were due, over that time: what the server did in
// that time, free of how a run starts and ends. Everything else is about the requests that count.
//
// "In time" is an OK within the request's deadline. "Rejected" is RESOURCE_EXHAUSTED. Latency is
// from when a request was due to its last answer. Bad input and planned cancellations are counted
// apart and take no part in latencies, rates and shares.
//
// Thread-safety: pure functions. Cost: O(n log n).
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_LOAD_REPORT_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_LOAD_REPORT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/cpp/load/outcome.h"
#include "client/cpp/load/percentiles.h"

namespace objectdino {

inline constexpr std::array<const char*, 8> kStageNames = {
    "decode", "preprocess", "queue", "backbone", "heads", "objects", "masks", "encode"};

struct LoadReport {
  double window_s = 0;  // between begin and end
  bool interrupted = false;

  size_t offered = 0;     // were due
  size_t dropped = 0;     // ... and not sent, because too many were out
  size_t sent = 0;        // ... and sent
  size_t unfinished = 0;  // ... and given up at the end of the run
  size_t completed = 0;   // ... and ended by server, deadline or cancellation

  double ok_per_s = 0;
  double in_time_per_s = 0;
  double in_time_share = 0;  // of the offered with good input and without planned cancellation

  Distribution ok_ms;
  Distribution rejected_ms;
  std::map<grpc::StatusCode, size_t> codes;  // of the completed
  std::map<grpc::StatusCode, std::string> errors;

  struct {
    size_t sent = 0;
    size_t refused = 0;      // INVALID_ARGUMENT
    size_t turned_away = 0;  // RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, UNAVAILABLE, unfinished
    size_t unexpected = 0;   // any other: a fault of the server
  } bad_input;

  struct {
    size_t planned = 0;
    size_t cancelled = 0;  // the others were quicker, or failed
  } cancellations;

  size_t retried = 0;       // completed requests of more than one attempt
  size_t attempts = 0;      // of the completed requests
  size_t max_attempts = 0;  // of one request

  std::array<Distribution, kStageNames.size()> stages_ms;  // as the server reports them
  double mean_batch = 0;
  uint32_t max_batch = 0;

  uint64_t request_bytes = 0;   // of the sent, each once
  uint64_t response_bytes = 0;  // of OK answers

  Distribution lag_ms;            // of the generator: sent later than due
  double cpu_ms_per_attempt = 0;  // of the generator, over the whole run

  // By the second, from `begin` on; the warm-up's seconds are negative. Bad input and
  // cancellations are in here, too.
  struct Second {
    int second = 0;
    size_t offered = 0;  // by when they were due
    size_t sent = 0;     // by when they were sent
    size_t ok = 0;       // by when the answer came, as the others
    size_t rejected = 0;
    size_t other = 0;
  };
  std::vector<Second> series;

  // The server answered something, so that figures mean something: OK, RESOURCE_EXHAUSTED or
  // INVALID_ARGUMENT.
  bool answered() const;
};

LoadReport MakeLoadReport(const LoadRecord& record);

// Doubts about the figures, one sentence each: a generator that lagged, dropped or gave up.
std::vector<std::string> LoadWarnings(const LoadReport& report);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_LOAD_REPORT_H_
