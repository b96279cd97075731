// SPDX-License-Identifier: Apache-2.0
// objectdino.v1.GroundingService on gRPC's callback API. Thread-safe.
#ifndef OBJECTDINO_SERVER_GROUNDING_SERVICE_H_
#define OBJECTDINO_SERVER_GROUNDING_SERVICE_H_

#include "objectdino/v1/grounding_service.grpc.pb.h"
#include "server/service_parts.h"

namespace objectdino {

class GroundingServiceImpl final : public v1::GroundingService::CallbackService {
 public:
  explicit GroundingServiceImpl(const ServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Ground(grpc::CallbackServerContext* context,
                                   const v1::GroundRequest* request,
                                   v1::GroundResponse* response) override;
  grpc::ServerBidiReactor<v1::StreamGroundRequest, v1::StreamGroundResponse>* StreamGround(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* VerifyRegions(grpc::CallbackServerContext* context,
                                          const v1::VerifyRegionsRequest* request,
                                          v1::VerifyRegionsResponse* response) override;
  grpc::ServerUnaryReactor* GetModelInfo(grpc::CallbackServerContext* context,
                                         const v1::GetModelInfoRequest* request,
                                         v1::GetModelInfoResponse* response) override;

 private:
  // Translates and records the outcome of an RPC that is answered at once.
  grpc::Status Outcome(const char* method, const absl::Status& status, absl::Time arrival);

  const ServiceParts parts_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_GROUNDING_SERVICE_H_
