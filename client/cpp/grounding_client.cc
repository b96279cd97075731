// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/grounding_client.h"

#include <grpcpp/grpcpp.h>
#include <optional>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/substitute.h"
#include "absl/time/clock.h"

#include "client/cpp/push_back.h"
#include "core/base/status_macros.h"

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

absl::Status FromGrpc(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
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
  OBJECTDINO_ASSIGN_OR_RETURN(Security security, MakeSecurity(address, options.security));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_response_bytes);
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetServiceConfigJSON(ServiceConfig(options));
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 1);
  // gRPC forgets how to repeat a request larger than this; its default is smaller than a
  // photograph.
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, options.max_response_bytes);
  // A proxy of the environment is never the way to the own machine.
  if (IsLoopback(address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto channel = grpc::CreateCustomChannel(address, security.credentials, arguments);
  return absl::WrapUnique(new GroundingClient(channel, std::move(security), options.timeout));
}

GroundingClient::GroundingClient(const std::shared_ptr<grpc::Channel>& channel, Security security,
                                 absl::Duration timeout)
    : security_(std::move(security)),
      timeout_(timeout),
      grounding_(v1::GroundingService::NewStub(channel)),
      health_(grpc::health::v1::Health::NewStub(channel)) {}

template <typename Response, typename Method>
absl::StatusOr<Response> GroundingClient::Call(const Method& method) const {
  const absl::Time deadline = absl::Now() + timeout_;
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    security_.AddTo(context);
    Response response;
    const grpc::Status status = method(&context, &response);
    if (status.ok()) return response;
    const std::optional<absl::Duration> pause = PushBack(context);
    if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED || !pause ||
        attempt == kMaxAttempts || absl::Now() + *pause >= deadline) {
      return FromGrpc(status);
    }
    absl::SleepFor(*pause);
  }
}

absl::StatusOr<v1::GroundResponse> GroundingClient::Ground(std::string encoded,
                                                           const v1::GroundOptions& options) const {
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(std::move(encoded));
  *request.mutable_options() = options;
  return Call<v1::GroundResponse>([&](auto* context, auto* response) {
    return grounding_->Ground(context, request, response);
  });
}

absl::StatusOr<v1::VerifyRegionsResponse> GroundingClient::VerifyRegions(
    std::string encoded, absl::Span<const v1::Region> regions,
    const v1::GroundOptions& options) const {
  v1::VerifyRegionsRequest request;
  request.mutable_image()->set_encoded(std::move(encoded));
  request.mutable_regions()->Assign(regions.begin(), regions.end());
  *request.mutable_options() = options;
  return Call<v1::VerifyRegionsResponse>([&](auto* context, auto* response) {
    return grounding_->VerifyRegions(context, request, response);
  });
}

absl::StatusOr<v1::GetModelInfoResponse> GroundingClient::GetModelInfo() const {
  return Call<v1::GetModelInfoResponse>([&](auto* context, auto* response) {
    return grounding_->GetModelInfo(context, v1::GetModelInfoRequest(), response);
  });
}

absl::StatusOr<grpc::health::v1::HealthCheckResponse::ServingStatus> GroundingClient::Health()
    const {
  auto response = Call<grpc::health::v1::HealthCheckResponse>([&](auto* context, auto* answer) {
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
