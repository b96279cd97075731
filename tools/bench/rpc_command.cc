// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <iostream>
#include <memory>
#include <spdlog/sinks/null_sink.h>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tools/bench/commands.h"
#include "tools/bench/measure.h"

#include "core/base/status_macros.h"
#include "objectdino/v1/grounding_service.grpc.pb.h"
#include "server/engine.h"
#include "server/event_log.h"
#include "server/server.h"

namespace objectdino {
namespace {

// Finds nothing, at once.
class IdleEngine final : public GroundingEngine {
 public:
  IdleEngine() {
    facts_.name = "idle";
    facts_.config.layers = 12;
    facts_.config.heads = 6;
    facts_.config.width = 384;
    facts_.config.patch_size = 14;
  }
  absl::StatusOr<PreparedImage> Prepare(Image image, const GroundOptions& options) const override {
    PreparedImage prepared;
    prepared.options = options;
    prepared.size = image.size();
    prepared.input.grid = {16, 16, 14};
    return prepared;
  }
  std::vector<absl::StatusOr<InferredImage>> Infer(
      absl::Span<const PreparedImage* const> batch,
      absl::FunctionRef<bool()> /*stop*/) const override {
    return std::vector<absl::StatusOr<InferredImage>>(batch.size(), InferredImage());
  }
  absl::StatusOr<Grounding> Finish(PreparedImage prepared, InferredImage /*inferred*/,
                                   absl::FunctionRef<bool()> /*stop*/) const override {
    Grounding grounding;
    grounding.image = prepared.size;
    grounding.grid = prepared.input.grid;
    grounding.objectness.resize(prepared.input.grid.size());
    return grounding;
  }
  const ModelFacts& facts() const override { return facts_; }

 private:
  ModelFacts facts_;
};

// Answers every RPC with the same bytes.
class Echo final : public grpc::CallbackGenericService {
 public:
  explicit Echo(std::string answer) : answer_(std::move(answer)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* /*context*/) override {
    class Call final : public grpc::ServerGenericBidiReactor {
     public:
      explicit Call(const std::string& answer) : bytes_(answer) { StartRead(&request_); }
      void OnReadDone(bool ok) override {
        if (!ok) return Finish(grpc::Status::OK);
        const grpc::Slice slice(bytes_);
        answer_ = grpc::ByteBuffer(&slice, 1);
        StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK);
      }
      void OnDone() override { delete this; }

     private:
      const std::string& bytes_;
      grpc::ByteBuffer request_;
      grpc::ByteBuffer answer_;
    };
    return new Call(answer_);
  }

 private:
  const std::string answer_;
};

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

// A server around an IdleEngine, and a stub for it.
struct Served {
  EventLog log;
  std::unique_ptr<Server> server;
  std::unique_ptr<v1::GroundingService::Stub> stub;

  explicit Served(const std::string& level)
      : log(std::make_shared<spdlog::sinks::null_sink_mt>(), level) {}

  static absl::StatusOr<std::unique_ptr<Served>> Start(bool quiet) {
    ServerConfig config;
    config.listen = "127.0.0.1:0";
    config.metrics_listen = quiet ? kNoMetrics : "127.0.0.1:0";
    config.Resolve(2);
    auto served = std::make_unique<Served>(quiet ? "error" : "info");
    OBJECTDINO_ASSIGN_OR_RETURN(served->server,
                                Server::Start(config, std::make_unique<IdleEngine>(), served->log));
    served->stub = v1::GroundingService::NewStub(ChannelTo(served->server->grpc_address()));
    return served;
  }
};

// Microseconds of one call.
absl::StatusOr<double> TimeGround(v1::GroundingService::Stub& stub,
                                  const v1::GroundRequest& request, v1::GroundResponse* response) {
  grpc::ClientContext context;
  const absl::Time begin = absl::Now();
  const grpc::Status status = stub.Ground(&context, request, response);
  if (!status.ok()) return absl::InternalError(status.error_message());
  return absl::ToDoubleMicroseconds(absl::Now() - begin);
}

absl::StatusOr<nlohmann::ordered_json> Measure(const std::string& encoded, int rounds) {
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(encoded);
  OBJECTDINO_ASSIGN_OR_RETURN(const auto served, Served::Start(/*quiet=*/false));
  OBJECTDINO_ASSIGN_OR_RETURN(const auto quiet, Served::Start(/*quiet=*/true));
  v1::GroundResponse response;
  OBJECTDINO_RETURN_IF_ERROR(TimeGround(*served->stub, request, &response).status());

  Echo echo(response.SerializeAsString());
  int port = 0;
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&echo);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  const std::unique_ptr<grpc::Server> echo_server = builder.BuildAndStart();
  const auto echo_stub =
      v1::GroundingService::NewStub(ChannelTo("127.0.0.1:" + std::to_string(port)));

  std::vector<double> echo_us, ground_us, quiet_us, decode_us, overhead_us;
  for (int round = 0; round < rounds + rounds / 10; ++round) {
    OBJECTDINO_ASSIGN_OR_RETURN(const double raw, TimeGround(*echo_stub, request, &response));
    OBJECTDINO_ASSIGN_OR_RETURN(const double unlogged,
                                TimeGround(*quiet->stub, request, &response));
    const double unlogged_decode = 1e3 * response.timing().decode_ms();
    OBJECTDINO_ASSIGN_OR_RETURN(const double whole, TimeGround(*served->stub, request, &response));
    const double decode = 1e3 * response.timing().decode_ms();
    if (round < rounds / 10) continue;  // warm-up
    echo_us.push_back(raw);
    ground_us.push_back(whole);
    decode_us.push_back(decode);
    overhead_us.push_back(whole - decode - raw);
    quiet_us.push_back(unlogged - unlogged_decode - raw);
  }
  return nlohmann::ordered_json{
      {"image_bytes", encoded.size()},        {"rounds", rounds},
      {"echo_us", Median(echo_us)},           {"ground_us", Median(ground_us)},
      {"decode_us", Median(decode_us)},       {"overhead_us", Median(overhead_us)},
      {"overhead_quiet_us", Median(quiet_us)}};
}

}  // namespace

int Rpc(const BenchArguments& args) {
  const nlohmann::ordered_json result =
      ValueOrFail(Measure(ReadFileOrFail(args.images.front()), args.rounds));
  if (args.json) {
    std::cout << result.dump() << "\n";
    return 0;
  }
  std::cout << absl::StrFormat(
      "Ground of %d bytes with an engine that computes nothing: %.0f us, of which decoding %.0f "
      "us\n"
      "echo RPC of the same sizes: %.0f us\n"
      "the server's own part: %.0f us; without log and metrics endpoint %.0f us (medians of %d)\n",
      result["image_bytes"].get<size_t>(), result["ground_us"].get<double>(),
      result["decode_us"].get<double>(), result["echo_us"].get<double>(),
      result["overhead_us"].get<double>(), result["overhead_quiet_us"].get<double>(), args.rounds);
  return 0;
}

}  // namespace objectdino
