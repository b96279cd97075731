// SPDX-License-Identifier: Apache-2.0
// One image on its way through the server: what is asked, by whom, and how far it has come.
//
// A job has one owner at any time: it is moved from thread to thread, with everything that belongs
// to it, and given back to its caller with the outcome. It knows nothing of gRPC.
#ifndef OBJECTDINO_SERVER_GROUND_JOB_H_
#define OBJECTDINO_SERVER_GROUND_JOB_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "core/batching/urgency.h"
#include "core/pipeline/stages.h"
#include "core/pipeline/verify.h"
#include "server/exchange.h"
#include "server/ground_request.h"
#include "server/in_flight.h"

namespace objectdino {

// What a job and its caller both hold. Thread-safe.
struct CallerState {
  std::atomic<bool> gone = false;    // nobody waits for the answer any more
  std::atomic<uint64_t> ticket = 0;  // of the job in the batch queue; 0 = not there yet
};

// What decides how long an image is computed.
struct Cost {
  uint32_t work = 0;   // equal for options of about the same cost on the same grid
  int64_t tokens = 1;  // patches

  // For ServiceEstimate and Backlog.
  uint64_t cost_class() const { return uint64_t{work} << 32 | static_cast<uint64_t>(tokens); }
};

Cost CostOf(const GroundOptions& options, int64_t tokens);

// Milliseconds.
struct JobTimes {
  StageTimings stages;
  double queue_ms = 0;  // waiting for a thread: of the decode pool, a lane, the post pool
  double encode_ms = 0;
};

struct GroundJob {
  GroundJob(std::shared_ptr<CallerState> state, const Exchange& messages)
      : exchange(messages), caller(std::move(state)) {}

  // Set by the caller. The messages outlive the job; the response is written once, at the end.
  const Exchange exchange;
  absl::Time deadline = absl::InfiniteFuture();
  absl::Time arrival;
  const std::shared_ptr<CallerState> caller;
  // Takes the job back with the outcome; called once, on any thread.
  std::function<void(std::unique_ptr<GroundJob>, absl::Status)> done;

  // Set on the way.
  InFlight::Place place;
  std::optional<Ticket> backlog;  // while it waits or is computed
  ParsedRequest parsed;
  Cost cost;
  RequestImage image;  // its pixels go into `prepared`
  PreparedImage prepared;
  std::vector<ClaimedRegion> regions;  // of VerifyRegions
  InferredImage inferred;
  absl::Time compute_until;  // later than that, its answer would miss the deadline
  bool computed = false;     // the forward pass was finished
  absl::Time mark;           // when the last stage ended
  JobTimes times;
  int batch_size = 0;

  // CANCELLED or DEADLINE_EXCEEDED when nobody waits for the answer any more.
  absl::Status StillWanted(absl::Time now) const;
  // Milliseconds since the last stage ended, which is now.
  double Lap();
};

// As GroundJob::StillWanted. gRPC cancels a call whose deadline passes, so the deadline is looked
// at first.
absl::Status CheckStillWanted(bool cancelled, absl::Time deadline, absl::Time now);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_GROUND_JOB_H_
