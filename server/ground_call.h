// SPDX-License-Identifier: Apache-2.0
// One Ground RPC: a job for the pipeline, and its outcome as an answer.
//
// gRPC owns the call and deletes it in OnDone; nothing here blocks or computes.
#ifndef OBJECTDINO_SERVER_GROUND_CALL_H_
#define OBJECTDINO_SERVER_GROUND_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>
#include <memory>

#include "absl/status/status.h"

#include "objectdino/v1/grounding_service.pb.h"
#include "server/access_log.h"
#include "server/ground_job.h"
#include "server/service_parts.h"

namespace objectdino {

class GroundCall final : public grpc::ServerUnaryReactor {
 public:
  // The result is for gRPC to own.
  static grpc::ServerUnaryReactor* Start(const ServiceParts& parts,
                                         grpc::CallbackServerContext* context,
                                         const v1::GroundRequest* request,
                                         v1::GroundResponse* response);

 private:
  GroundCall(const ServiceParts& parts, grpc::CallbackServerContext* context);

  void Answer(std::unique_ptr<GroundJob> job, const absl::Status& status);
  void OnCancel() override;  // may run beside the job
  void OnDone() override;

  const ServiceParts parts_;
  grpc::CallbackServerContext* const context_;
  const CallFacts facts_;
  const std::shared_ptr<CallerState> state_ = std::make_shared<CallerState>();
  std::unique_ptr<GroundJob> job_;  // once it is answered: it holds its place until all is sent
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_GROUND_CALL_H_
