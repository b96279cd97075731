// SPDX-License-Identifier: Apache-2.0
// The caller of one job of a GroundPipeline: sends it, may cancel it, waits for its outcome.
#ifndef OBJECTDINO_TESTS_SUPPORT_PIPELINE_CALLER_H_
#define OBJECTDINO_TESTS_SUPPORT_PIPELINE_CALLER_H_

#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "core/base/mutex.h"
#include "server/ground_pipeline.h"
#include "tests/support/requests.h"

namespace objectdino::testing {

class PipelineCaller {
 public:
  void Send(GroundPipeline& pipeline, absl::Duration timeout = absl::InfiniteDuration()) {
    auto job = std::make_unique<GroundJob>(state_, Exchange(request_, &response_));
    job->arrival = absl::Now();
    job->deadline = job->arrival + timeout;
    job->done = [this](std::unique_ptr<GroundJob> done, absl::Status status) {
      const MutexLock lock(mutex_);
      done.reset();
      ++answers_;
      status_ = std::move(status);
      answered_.NotifyAll();
    };
    pipeline.Submit(std::move(job));
  }
  void Cancel(GroundPipeline& pipeline) { pipeline.Cancel(*state_); }

  // Decoded, and not yet on a lane. REQUIRES: no lane is free.
  void WaitUntilQueued() const {
    while (state_->ticket == 0) absl::SleepFor(absl::Milliseconds(1));
  }
  absl::Status Wait() {
    const MutexLock lock(mutex_);
    while (answers_ == 0) answered_.Wait(mutex_);
    return status_;
  }
  int answers() {
    const MutexLock lock(mutex_);
    return answers_;
  }
  const v1::GroundResponse& response() const { return response_; }

 private:
  const std::shared_ptr<CallerState> state_ = std::make_shared<CallerState>();
  const v1::GroundRequest request_ = RawRequest();
  v1::GroundResponse response_;
  Mutex mutex_;
  CondVar answered_;
  int answers_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_PIPELINE_CALLER_H_
