// SPDX-License-Identifier: Apache-2.0
// What became of the requests of a load.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_OUTCOME_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_OUTCOME_H_

#include <cstddef>
#include <cstdint>
#include <grpcpp/support/status_code_enum.h>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// Of one request. Times are since the start of the run.
struct Outcome {
  absl::Duration due;       // when it should have been sent
  absl::Duration sent;      // when it was, the first time
  absl::Duration answered;  // when the last answer came
  absl::Duration deadline;  // from `due`
  grpc::StatusCode code = grpc::StatusCode::OK;
  int attempts = 1;
  uint32_t request_bytes = 0;
  uint32_t response_bytes = 0;
  bool counts = false;          // not part of the warm-up
  bool dropped = false;         // by the generator, unsent: too many were out
  bool unfinished = false;      // given up at the end of the run
  bool bad_input = false;       // was to be refused
  bool cancel_planned = false;  // was to be cancelled by the generator, if it was not quicker

  // In the eyes of its sender, for whom a request begins when it is due.
  absl::Duration latency() const { return answered - due; }
};

struct LoadRecord {
  std::vector<Outcome> outcomes;                   // of all requests, the warm-up's too
  std::vector<v1::Timing> timings;                 // of successes that count
  std::map<grpc::StatusCode, std::string> errors;  // the first message of each code that counts
  // Begin and end of what counts: answers within are rates, requests due within are latencies.
  absl::Duration begin;
  absl::Duration end;
  bool interrupted = false;
  double cpu_s = 0;     // of this process, during the run
  size_t attempts = 0;  // all that were sent, warm-up and retries too
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_OUTCOME_H_
