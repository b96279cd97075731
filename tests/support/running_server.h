// SPDX-License-Identifier: Apache-2.0
// A Server with a FakeEngine on a free port of the loopback interface, and a channel to it.
#ifndef OBJECTDINO_TESTS_SUPPORT_RUNNING_SERVER_H_
#define OBJECTDINO_TESTS_SUPPORT_RUNNING_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "objectdino/v1/grounding_service.grpc.pb.h"
#include "server/server.h"
#include "tests/support/fake_engine.h"
#include "tests/support/log_capture.h"
#include "tests/support/requests.h"

namespace objectdino::testing {

class RunningServer {
 public:
  static ServerConfig OneLane() {
    ServerConfig config;
    config.listen = "127.0.0.1:0";
    config.metrics_listen = kNoMetrics;
    config.lanes = 1;
    config.Resolve(1);
    return config;
  }
  static ServerConfig OneLaneWithMetrics() {
    ServerConfig config = OneLane();
    config.metrics_listen = "127.0.0.1:0";
    return config;
  }

  explicit RunningServer(const ServerConfig& config = OneLane())
      : log_(std::make_shared<LogCapture>()), events_(log_, "debug") {
    auto fake = std::make_unique<FakeEngine>();
    engine_ = fake.get();
    server_ = std::move(Server::Start(config, std::move(fake), events_)).value();
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(server_->grpc_address(),
                                         grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::GroundingService::NewStub(channel_);
  }
  ~RunningServer() { engine_->Release(); }

  grpc::Status Ground(const v1::GroundRequest& request, v1::GroundResponse* response = nullptr,
                      absl::Duration timeout = absl::Seconds(60)) {
    grpc::ClientContext context;
    return GroundIn(&context, request, response, timeout);
  }
  grpc::Status GroundIn(grpc::ClientContext* context, const v1::GroundRequest& request,
                        v1::GroundResponse* response = nullptr,
                        absl::Duration timeout = absl::Seconds(60)) {
    v1::GroundResponse ignored;
    context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    return stub_->Ground(context, request, response != nullptr ? response : &ignored);
  }

  Server& server() { return *server_; }
  FakeEngine& engine() { return *engine_; }
  LogCapture& log() { return *log_; }
  v1::GroundingService::Stub& stub() { return *stub_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

 private:
  std::shared_ptr<LogCapture> log_;
  EventLog events_;
  FakeEngine* engine_ = nullptr;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::GroundingService::Stub> stub_;
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_RUNNING_SERVER_H_
