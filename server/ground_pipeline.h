// SPDX-License-Identifier: Apache-2.0
// The way of an image through the server, and the threads along it.
//
//   Submit   any thread   check the request, admit it or turn it away at once; never blocks
//   decode   pool         pixels, preprocessing
//   queue                 buckets of the same patch grid, earliest deadline first (core/batching)
//   lanes    own threads  the forward pass of a batch, and the heads: everything that needs Torch
//   post     pool         objects, masks, encoding
//
// Admission looks at time, not at a number of requests: an image is turned away at arrival when,
// by a running estimate of what images cost here, its answer would not be ready before its
// deadline. `max_queue` bounds those without one. Before each stage it is looked whether the
// caller still waits; a forward pass ends between two layers when all of its callers have gone.
// Thread-safe.
#ifndef OBJECTDINO_SERVER_GROUND_PIPELINE_H_
#define OBJECTDINO_SERVER_GROUND_PIPELINE_H_

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "core/batching/backlog.h"
#include "core/batching/batch_scheduler.h"
#include "core/batching/service_estimate.h"
#include "server/engine.h"
#include "server/ground_job.h"
#include "server/in_flight.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/worker_pool.h"

namespace objectdino {

struct PipelineOptions {
  int lanes = 1;           // forward passes at once, >= 1
  int decode_threads = 1;  // >= 1
  int post_threads = 1;    // >= 1
  int max_batch = 1;       // images of a forward pass, >= 1
  int64_t max_batch_tokens = int64_t{1} << 20;
  absl::Duration batch_delay =
      absl::ZeroDuration();  // how long an idle lane waits for a batch to fill
};

class GroundPipeline {
 public:
  // All arguments outlive the pipeline.
  GroundPipeline(const GroundingEngine& engine, const Limits& limits,
                 const PipelineOptions& options, Metrics& metrics);
  // REQUIRES: every job was given back.
  ~GroundPipeline();

  // Takes the job; job->done is called exactly once, possibly before Submit returns, with the
  // statuses of the contract in the proto.
  void Submit(std::unique_ptr<GroundJob> job);

  // The caller has gone: its job is given back now if it waits, and at the next stage otherwise.
  void Cancel(CallerState& caller);

  // From now on Submit answers UNAVAILABLE.
  void Close() { in_flight_.Close(); }
  Metrics::Load load() const {
    return {static_cast<int>(backlog_.waiting()), in_flight_.count(), in_flight_.bytes()};
  }
  // True when every job was given back and let go before the time is over.
  bool WaitUntilEmpty(absl::Duration timeout) { return in_flight_.WaitUntilEmpty(timeout); }

 private:
  using JobPtr = std::unique_ptr<GroundJob>;

  absl::Status Admit(GroundJob& job);
  absl::Duration PostTime(const GroundJob& job) const;
  void Decode(JobPtr job);
  absl::Status Prepare(GroundJob& job);
  void Enqueue(JobPtr job);
  void RunLane();
  void RunBatch(std::vector<JobPtr> batch);
  std::vector<absl::StatusOr<InferredImage>> Infer(const std::vector<JobPtr>& batch) const;
  // For one whose answer would come too late, by what images cost now.
  void TurnAwayLate(JobPtr job);
  void Post(JobPtr job);
  absl::Status Encode(GroundJob& job);
  // Gives back a job that nobody waits for; false if somebody does.
  bool GaveUp(JobPtr& job, CancelPoint point);
  void GiveBack(JobPtr job, absl::Status status);

  const GroundingEngine& engine_;
  const Limits& limits_;
  Metrics& metrics_;
  InFlight in_flight_;
  ServiceEstimate service_;  // of the forward pass, an image
  ServiceEstimate post_;     // of what comes after it
  Backlog backlog_;
  BatchScheduler<JobPtr> queue_;
  WorkerPool decode_pool_;
  WorkerPool post_pool_;
  std::vector<std::thread> lanes_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_GROUND_PIPELINE_H_
