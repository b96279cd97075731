// SPDX-License-Identifier: Apache-2.0
#include "server/grounding_service.h"

#include "absl/time/clock.h"

#include "server/ground_call.h"
#include "server/grpc_status.h"
#include "server/model_info.h"
#include "server/stream_call.h"

namespace objectdino {
namespace {

// A stream that ends at once.
class EndedStream final
    : public grpc::ServerBidiReactor<v1::StreamGroundRequest, v1::StreamGroundResponse> {
 public:
  explicit EndedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::Status GroundingServiceImpl::Outcome(const char* method, const absl::Status& status,
                                           absl::Time arrival) {
  WireStatus wire = ToWireStatus(status);
  parts_.metrics.ObserveRequest(method, CodeName(wire.status),
                                absl::ToDoubleSeconds(absl::Now() - arrival));
  return wire.status;
}

grpc::ServerUnaryReactor* GroundingServiceImpl::Ground(grpc::CallbackServerContext* context,
                                                       const v1::GroundRequest* request,
                                                       v1::GroundResponse* response) {
  return GroundCall::Start(parts_, "Ground", context, Exchange(*request, response));
}

grpc::ServerBidiReactor<v1::StreamGroundRequest, v1::StreamGroundResponse>*
GroundingServiceImpl::StreamGround(grpc::CallbackServerContext* context) {
  if (const absl::Status status = CheckToken(parts_, *context); !status.ok()) {
    return new EndedStream(Outcome("StreamGround", status, absl::Now()));
  }
  return StreamCall::Start(parts_, context);
}

grpc::ServerUnaryReactor* GroundingServiceImpl::VerifyRegions(
    grpc::CallbackServerContext* context, const v1::VerifyRegionsRequest* request,
    v1::VerifyRegionsResponse* response) {
  return GroundCall::Start(parts_, "VerifyRegions", context, Exchange(*request, response));
}

grpc::ServerUnaryReactor* GroundingServiceImpl::GetModelInfo(
    grpc::CallbackServerContext* context, const v1::GetModelInfoRequest* /*request*/,
    v1::GetModelInfoResponse* response) {
  const absl::Time arrival = absl::Now();
  const absl::Status status = CheckToken(parts_, *context);
  if (status.ok()) *response = DescribeModel(parts_.model, parts_.limits);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(Outcome("GetModelInfo", status, arrival));
  return reactor;
}

}  // namespace objectdino
