// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <grpc/grpc.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc/health/v1/health.pb.h"

#include "core/base/status_macros.h"
#include "server/address.h"
#include "server/tls.h"
#include "server/transport.h"

namespace objectdino {
namespace {

// What the last answers have to reach their callers before their connections are closed.
constexpr absl::Duration kDelivery = absl::Milliseconds(100);

PipelineOptions PipelineOptionsOf(const ServerConfig& config) {
  return {.lanes = config.lanes,
          .decode_threads = config.decode_threads,
          .post_threads = config.post_threads,
          .max_batch = config.batch.max_images,
          .max_batch_tokens = config.batch.max_tokens,
          .batch_delay = absl::Milliseconds(config.batch.delay_ms)};
}

}  // namespace

Server::Server(const ServerConfig& config, std::unique_ptr<GroundingEngine> engine,
               std::unique_ptr<Authenticator> authenticator, EventLog& log)
    : limits_(config.limits),
      log_(log),
      engine_(std::move(engine)),
      authenticator_(std::move(authenticator)),
      metrics_(engine_->facts()),
      slow_readers_(absl::Seconds(config.send_timeout_seconds)),
      pipeline_(*engine_, limits_, PipelineOptionsOf(config), metrics_),
      service_({.model = engine_->facts(),
                .limits = limits_,
                .authenticator = *authenticator_,
                .pipeline = pipeline_,
                .slow_readers = slow_readers_,
                .metrics = metrics_,
                .log = log_,
                .default_deadline = config.default_deadline_ms == 0
                                        ? absl::InfiniteDuration()
                                        : absl::Milliseconds(config.default_deadline_ms),
                .stream_window = StreamWindow(config.lanes)}) {}

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
  std::unique_ptr<Authenticator> authenticator = Authenticator::AcceptAll();
  if (!config.token_file.empty()) {
    OBJECTDINO_ASSIGN_OR_RETURN(authenticator, Authenticator::FromFile(config.token_file, log));
  }
  std::unique_ptr<Server> server(
      new Server(config, std::move(engine), std::move(authenticator), log));
  OBJECTDINO_RETURN_IF_ERROR(server->StartMetrics(config.metrics_listen));
  OBJECTDINO_RETURN_IF_ERROR(server->StartGrpc(config));
  server->metrics_.model_ready().Set(1);
  return server;
}

absl::Status Server::StartMetrics(const std::string& listen) {
  if (listen == kNoMetrics) return absl::OkStatus();
  OBJECTDINO_ASSIGN_OR_RETURN(const Address address, ParseAddress(listen));
  OBJECTDINO_ASSIGN_OR_RETURN(metrics_endpoint_, MetricsEndpoint::Start(address));
  metrics_endpoint_->Add(metrics_.collectable());
  metrics_endpoint_->Add(process_metrics_);
  metrics_address_ = metrics_endpoint_->address().ToString();
  return absl::OkStatus();
}

absl::Status Server::StartGrpc(const ServerConfig& config) {
  OBJECTDINO_ASSIGN_OR_RETURN(Address address, ParseAddress(config.listen));
  credentials_ = grpc::InsecureServerCredentials();
  if (config.tls.enabled()) {
    OBJECTDINO_ASSIGN_OR_RETURN(credentials_, MakeTlsCredentials(config.tls, log_));
  } else if (!config.token_file.empty() && !address.loopback()) {
    log_.Warning("auth.tokens_in_plain_text", {{"grpc", config.listen}});
  }
  grpc::EnableDefaultHealthCheckService(true);
  // Links the messages of the health service in: reflection lists it, and must describe it too.
  static_cast<void>(grpc::health::v1::HealthCheckRequest::descriptor());
  grpc::ServerBuilder builder;
  builder.RegisterService(&service_);
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits_.max_request_bytes));
  builder.SetMaxSendMessageSize(-1);                        // our own limit answers with a reason
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a taken port is an error
  SetConnectionLimits(config.connections, builder);
  SetReflection(config.reflection, builder);
  builder.AddListeningPort(config.listen, credentials_, &address.port);
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen for gRPC on ", config.listen,
                     ": the port is taken or the address is not of this machine"));
  }
  grpc_->GetHealthCheckService()->SetServingStatus(v1::GroundingService::service_full_name(), true);
  grpc_address_ = address.ToString();
  return absl::OkStatus();
}

void Server::AnnounceStop() {
  if (grpc_ == nullptr) return;
  metrics_.model_ready().Set(0);
  grpc_->GetHealthCheckService()->SetServingStatus(false);
}

// gRPC drops what arrives once its own shutdown has begun, and the caller reads CANCELLED, which no
// client retries. So requests are turned away by the service, which says UNAVAILABLE, until the
// connections are closed, which their clients read as UNAVAILABLE too; the shutdown comes last.
bool Server::Drain(absl::Duration grace) {
  drained_ = true;
  if (grpc_ == nullptr) return true;
  pipeline_.Close();  // before it is announced: who has seen NOT_SERVING is not let in
  AnnounceStop();
  const bool finished = pipeline_.WaitUntilEmpty(grace);
  if (finished) absl::SleepFor(kDelivery);
  grpc_server_cancel_all_calls(grpc_->c_server());
  grpc_->Shutdown(absl::ToChronoTime(absl::Now()));
  return finished;
}

}  // namespace objectdino
