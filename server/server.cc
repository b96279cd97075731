// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <exception>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/health/v1/health.pb.h"

#include "core/base/status_macros.h"
#include "server/address.h"

namespace objectdino {
namespace {

// Answers are on their way by then; what is left are streams that never end, such as health Watch.
constexpr absl::Duration kStreamGrace = absl::Milliseconds(100);

absl::Status CannotListen(const char* what, const std::string& listen) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot listen for ", what, " on ", listen,
                   ": the port is taken or the address is not of this machine"));
}

}  // namespace

Server::Server(const ServerConfig& config, std::unique_ptr<GroundingEngine> engine, EventLog& log)
    : limits_(config.limits),
      log_(log),
      engine_(std::move(engine)),
      metrics_(engine_->facts()),
      in_flight_(limits_.max_inflight),
      lanes_(config.lanes),
      service_({*engine_, limits_, in_flight_, lanes_, metrics_, log_}) {}

Server::~Server() {
  if (!drained_) Drain(absl::ZeroDuration());
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerConfig& config,
                                                      std::unique_ptr<GroundingEngine> engine,
                                                      EventLog& log) {
  const int patch_size = engine->facts().config.patch_size;
  if (config.limits.max_input_size < patch_size) {
    return absl::FailedPreconditionError(
        absl::StrCat("--max-input-size ", config.limits.max_input_size,
                     " is less than the model's patch of ", patch_size, " pixels"));
  }
  std::unique_ptr<Server> server(new Server(config, std::move(engine), log));
  OBJECTDINO_RETURN_IF_ERROR(server->StartMetrics(config.metrics_listen));
  OBJECTDINO_RETURN_IF_ERROR(server->StartGrpc(config.listen));
  server->metrics_.model_ready().Set(1);
  return server;
}

absl::Status Server::StartMetrics(const std::string& listen) {
  if (listen == kNoMetrics) return absl::OkStatus();
  OBJECTDINO_ASSIGN_OR_RETURN(Address address, ParseAddress(listen));
  try {
    exposer_ = std::make_unique<prometheus::Exposer>(listen);
  } catch (const std::exception&) {  // CivetWeb's text does not say more than that
    return CannotListen("metrics", listen);
  }
  exposer_->RegisterCollectable(metrics_.registry());
  address.port = exposer_->GetListeningPorts().front();
  metrics_address_ = address.ToString();
  return absl::OkStatus();
}

absl::Status Server::StartGrpc(const std::string& listen) {
  OBJECTDINO_ASSIGN_OR_RETURN(Address address, ParseAddress(listen));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // Links the messages of the health service in: reflection lists it, and must describe it too.
  static_cast<void>(grpc::health::v1::HealthCheckRequest::descriptor());
  grpc::ServerBuilder builder;
  builder.RegisterService(&service_);
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits_.max_request_bytes));
  builder.SetMaxSendMessageSize(-1);                        // our own limit answers with a reason
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &address.port);
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr) return CannotListen("gRPC", listen);
  grpc_->GetHealthCheckService()->SetServingStatus(v1::GroundingService::service_full_name(), true);
  grpc_address_ = address.ToString();
  return absl::OkStatus();
}

bool Server::Drain(absl::Duration grace) {
  drained_ = true;
  if (grpc_ == nullptr) return true;
  metrics_.model_ready().Set(0);
  in_flight_.Close();
  grpc_->GetHealthCheckService()->SetServingStatus(false);
  const bool finished = in_flight_.WaitUntilEmpty(grace);
  grpc_->Shutdown(absl::ToChronoTime(absl::Now() + kStreamGrace));
  return finished;
}

}  // namespace objectdino
