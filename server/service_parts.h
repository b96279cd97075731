// SPDX-License-Identifier: Apache-2.0
// What every RPC uses; all of it outlives every call.
#ifndef OBJECTDINO_SERVER_SERVICE_PARTS_H_
#define OBJECTDINO_SERVER_SERVICE_PARTS_H_

#include <grpcpp/server_context.h>

#include "absl/time/time.h"

#include "server/access_log.h"
#include "server/authenticator.h"
#include "server/engine.h"
#include "server/event_log.h"
#include "server/ground_pipeline.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/slow_readers.h"

namespace objectdino {

struct ServiceParts {
  const ModelFacts& model;
  const Limits& limits;
  Authenticator& authenticator;
  GroundPipeline& pipeline;
  SlowReaders& slow_readers;
  Metrics& metrics;
  EventLog& log;
  absl::Duration default_deadline = absl::InfiniteDuration();  // of calls without one
  int stream_window = 1;                                       // images of one stream in the house
};

// UNAUTHENTICATED: a token is asked for, and the call has none or a wrong one.
absl::Status CheckToken(const ServiceParts& parts, const grpc::CallbackServerContext& context);

CallFacts FactsOf(const char* method, const grpc::CallbackServerContext& context);

// The call's own deadline, or the server's default.
absl::Time DeadlineOf(const ServiceParts& parts, const grpc::CallbackServerContext& context,
                      absl::Time arrival);

// Metrics and log of one image's outcome, and what goes over the wire.
WireStatus RecordOutcome(const ServiceParts& parts, const CallFacts& call, const GroundJob& job,
                         const absl::Status& status);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_SERVICE_PARTS_H_
