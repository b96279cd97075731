// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/grounding_client.h"

#include <grpcpp/grpcpp.h>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/substitute.h"

namespace objectdino {
namespace {

constexpr absl::Duration kMaxTimeout = absl::Hours(24);
constexpr double kPauseGrowth = 2;
constexpr absl::Duration kMaxPause = absl::Seconds(1);
constexpr char kGroundingService[] = "objectdino.v1.GroundingService";

std::string ServiceConfig(const ClientOptions& options) {
  return absl::Substitute(
      R"({"methodConfig": [{
           "name": [{"service": "$0"}, {"service": "grpc.health.v1.Health"}],
           "retryPolicy": {"maxAttempts": $1, "initialBackoff": "$2s", "maxBackoff": "$3s",
                           "backoffMultiplier": $4, "retryableStatusCodes": ["UNAVAILABLE"]}}]})",
      kGroundingService, GroundingClient::kMaxAttempts,
      absl::StrFormat("%.3f", absl::ToDoubleSeconds(options.first_pause)),
      absl::StrFormat("%.3f", absl::ToDoubleSeconds(kMaxPause)), kPauseGrowth);
}

bool IsLocal(absl::string_view address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost") ||
         absl::StartsWith(address, "[::1]") || absl::StartsWith(address, "unix:");
}

absl::Status FromGrpc(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

// `call`: (context, response) -> grpc::Status.
template <typename Response, typename Method>
absl::StatusOr<Response> CallWithDeadline(absl::Duration timeout, const Method& call) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  Response response;
  const grpc::Status status = call(&context, &response);
  if (!status.ok()) return FromGrpc(status);
  return response;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GroundingClient>> GroundingClient::Connect(
    const std::string& address, const ClientOptions& options) {
  if (address.empty()) return absl::InvalidArgumentError("the server's address is empty");
  if (options.timeout <= absl::ZeroDuration() || options.timeout > kMaxTimeout) {
    return absl::InvalidArgumentError(absl::StrCat("the timeout must be above 0 and at most ",
                                                   absl::FormatDuration(kMaxTimeout)));
  }
  if (options.max_response_bytes <= 0 || options.first_pause < absl::Milliseconds(1) ||
      options.first_pause > kMaxPause) {
    return absl::InvalidArgumentError("max_response_bytes or first_pause is out of range");
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_response_bytes);
  arguments.SetServiceConfigJSON(ServiceConfig(options));
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 1);
  // gRPC forgets how to repeat a request larger than this; its default is smaller than a
  // photograph.
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, options.max_response_bytes);
  // A proxy of the environment is never the way to the own machine.
  if (IsLocal(address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return absl::WrapUnique(new GroundingClient(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments),
      options.timeout));
}

GroundingClient::GroundingClient(const std::shared_ptr<grpc::Channel>& channel,
                                 absl::Duration timeout)
    : timeout_(timeout),
      grounding_(v1::GroundingService::NewStub(channel)),
      health_(grpc::health::v1::Health::NewStub(channel)) {}

absl::StatusOr<v1::GroundResponse> GroundingClient::Ground(std::string encoded,
                                                           const v1::GroundOptions& options) const {
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(std::move(encoded));
  *request.mutable_options() = options;
  return CallWithDeadline<v1::GroundResponse>(timeout_, [&](auto* context, auto* response) {
    return grounding_->Ground(context, request, response);
  });
}

absl::StatusOr<v1::GetModelInfoResponse> GroundingClient::GetModelInfo() const {
  return CallWithDeadline<v1::GetModelInfoResponse>(timeout_, [&](auto* context, auto* response) {
    return grounding_->GetModelInfo(context, v1::GetModelInfoRequest(), response);
  });
}

absl::StatusOr<grpc::health::v1::HealthCheckResponse::ServingStatus> GroundingClient::Health()
    const {
  auto response = CallWithDeadline<grpc::health::v1::HealthCheckResponse>(
      timeout_, [&](auto* context, auto* answer) {
        return health_->Check(context, grpc::health::v1::HealthCheckRequest(), answer);
      });
  if (!response.ok()) return response.status();
  return response->status();
}

std::string ErrorText(const absl::Status& status) {
  std::string text = absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message());
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return text;
}

}  // namespace objectdino
