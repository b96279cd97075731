// SPDX-License-Identifier: Apache-2.0
// What load a server is put under.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_LOAD_OPTIONS_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_LOAD_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// Uniform over [low, high].
struct Range {
  double low = 0;
  double high = 0;
};

// "20:50", or "20" for 20:20. INVALID_ARGUMENT: anything else.
absl::StatusOr<Range> ParseRange(const std::string& text);

struct LoadOptions {
  // Closed loop: that many callers, each sends its next request when it has its answer; 1 .. 10000.
  // Open loop, with `rate` > 0 requests a second, at most 100000: Poisson arrivals whatever the
  // answers do.
  size_t concurrency = 1;
  std::optional<double> rate;

  // Ends after that many seconds of sending, or that many requests; the warm-up comes before and
  // does not count.
  double duration_s = 10;          // > 0, at most a day
  std::optional<size_t> requests;  // 1 .. 100 million; replaces duration_s
  double warmup_s = 0;             // 0 .. a day

  Range deadline_ms = {30000, 30000};  // of a request, from when it was due; > 0, at most a day
  double cancel_share = 0;             // 0 .. 1: of the requests with good input, cancelled ...
  Range cancel_after_ms = {0, 50};     // ... this long after they were sent; >= 0, at most a day
  double bad_share = 0;                // 0 .. 1: of requests with input that must be refused

  v1::GroundOptions ground;     // of every request
  std::vector<uint32_t> sizes;  // input_size of a request is one of these, drawn at random
  uint32_t seed = 1;            // of arrivals, images, sizes, deadlines and everything else
  bool retry = false;           // as a well-behaved client; else the server's word is final
  bool stream = false;          // StreamGround, one stream a caller or channel, instead of Ground
  size_t channels = 1;          // connections, 1 .. 64
  size_t max_outstanding = 10000;  // 1 .. 1 million; more are not sent, but counted as dropped

  // INVALID_ARGUMENT, naming the flag of `objectdino load`.
  absl::Status Validate() const;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_LOAD_OPTIONS_H_
