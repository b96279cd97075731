// SPDX-License-Identifier: Apache-2.0
// One Ground RPC, from its arrival to its answer.
//
// Arrival runs on gRPC's thread: check, take a place in flight, queue for a lane. Everything heavy
// runs on the lane: decode, compute, encode. gRPC owns the call and deletes it in OnDone; until the
// lane has called Finish it is the lane's.
#ifndef OBJECTDINO_SERVER_GROUND_CALL_H_
#define OBJECTDINO_SERVER_GROUND_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "objectdino/v1/grounding_service.pb.h"
#include "server/engine.h"
#include "server/event_log.h"
#include "server/ground_request.h"
#include "server/in_flight.h"
#include "server/lanes.h"
#include "server/limits.h"
#include "server/metrics.h"

namespace objectdino {

// What every call uses; all of it outlives every call.
struct ServiceParts {
  const GroundingEngine& engine;
  const Limits& limits;
  InFlight& in_flight;
  Lanes& lanes;
  Metrics& metrics;
  EventLog& log;
};

// CANCELLED or DEADLINE_EXCEEDED when nobody waits for the answer any more. A passed deadline also
// counts as cancelled for gRPC, so it is looked at first.
absl::Status CheckStillWanted(bool cancelled, absl::Time deadline, absl::Time now);

class GroundCall final : public grpc::ServerUnaryReactor {
 public:
  // Answers, or queues the call; never blocks. The result is for gRPC to own.
  static grpc::ServerUnaryReactor* Start(const ServiceParts& parts,
                                         grpc::CallbackServerContext* context,
                                         const v1::GroundRequest* request,
                                         v1::GroundResponse* response);

 private:
  GroundCall(const ServiceParts& parts, grpc::CallbackServerContext* context,
             const v1::GroundRequest* request, v1::GroundResponse* response);

  absl::Status Admit();
  void RunOnLane();
  absl::Status Compute();
  absl::Status StillWanted() const;
  void Answer(const absl::Status& status);
  void OnCancel() override;  // may run beside the lane, which looks at the context by itself
  void OnDone() override;

  const ServiceParts parts_;
  grpc::CallbackServerContext* const context_;
  const v1::GroundRequest* const request_;
  v1::GroundResponse* const response_;
  const absl::Time arrival_;
  ParsedRequest parsed_;
  bool admitted_ = false;
  StageTimings timings_;
  double queue_ms_ = 0;
  double encode_ms_ = 0;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_GROUND_CALL_H_
