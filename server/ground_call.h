// SPDX-License-Identifier: Apache-2.0
// One Ground or VerifyRegions RPC: a job for the pipeline, and its outcome as an answer.
//
// gRPC owns the call and deletes it in OnDone; nothing here blocks or computes.
#ifndef OBJECTDINO_SERVER_GROUND_CALL_H_
#define OBJECTDINO_SERVER_GROUND_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>
#include <memory>

#include "absl/status/status.h"

#include "server/access_log.h"
#include "server/exchange.h"
#include "server/ground_job.h"
#include "server/service_parts.h"

namespace objectdino {

class GroundCall final : public grpc::ServerUnaryReactor {
 public:
  // The result is for gRPC to own. `method` is the RPC's name, a literal.
  static grpc::ServerUnaryReactor* Start(const ServiceParts& parts, const char* method,
                                         grpc::CallbackServerContext* context,
                                         const Exchange& exchange);

 private:
  GroundCall(const ServiceParts& parts, const char* method, grpc::CallbackServerContext* context);

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
