// SPDX-License-Identifier: Apache-2.0
#include "server/ground_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "server/request_error.h"

namespace objectdino {

grpc::ServerUnaryReactor* GroundCall::Start(const ServiceParts& parts, const char* method,
                                            grpc::CallbackServerContext* context,
                                            const Exchange& exchange) {
  auto* const call = new GroundCall(parts, method, context);
  auto job = std::make_unique<GroundJob>(call->state_, exchange);
  job->arrival = absl::Now();
  job->deadline = DeadlineOf(parts, *context, job->arrival);
  if (const absl::Status status = CheckToken(parts, *context); !status.ok()) {
    call->Answer(std::move(job), status);
    return call;
  }
  job->done = [call](std::unique_ptr<GroundJob> done, const absl::Status& status) {
    call->Answer(std::move(done), status);
  };
  parts.log.Debug("ground.arrived",
                  {{"id", exchange.question.request_id}, {"peer", call->facts_.peer}});
  parts.pipeline.Submit(std::move(job));
  return call;
}

GroundCall::GroundCall(const ServiceParts& parts, const char* method,
                       grpc::CallbackServerContext* context)
    : parts_(parts), context_(context), facts_(FactsOf(method, *context)) {}

// Records the outcome, then sends it. The call may be gone when Finish returns.
void GroundCall::Answer(std::unique_ptr<GroundJob> job, const absl::Status& status) {
  const WireStatus wire = RecordOutcome(parts_, facts_, *job, status);
  if (const auto delay = RetryDelayOf(status)) {
    context_->AddTrailingMetadata("grpc-retry-pushback-ms",
                                  absl::StrCat(absl::ToInt64Milliseconds(*delay)));
  }
  job_ = std::move(job);
  if (status.ok()) {
    parts_.slow_readers.Begin(this, [context = context_] { context->TryCancel(); });
  }
  Finish(wire.status);
}

void GroundCall::OnCancel() { parts_.pipeline.Cancel(*state_); }

void GroundCall::OnDone() {
  parts_.slow_readers.End(this);
  delete this;
}

}  // namespace objectdino
