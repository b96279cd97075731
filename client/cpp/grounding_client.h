// SPDX-License-Identifier: Apache-2.0
// A connection to a grounding server.
//
// Every call has a finite deadline. Tried again, inside the deadline (Ground is pure, so this is
// safe): UNAVAILABLE, at most kMaxAttempts times, with a growing pause; and RESOURCE_EXHAUSTED
// where the server says when to come back, as often, after the pause that it asks for.
// Where the target has several addresses (a headless Kubernetes Service, ipv4:A:PORT,B:PORT), calls
// go to all of them in turn, and past those that cannot be reached.
// Errors carry the gRPC code and the server's message; ErrorText() makes them one line.
// Thread-safety: all calls may be made from any number of threads at once.
//
//   auto client = GroundingClient::Connect("127.0.0.1:50051", {});
//   absl::StatusOr<objectdino::v1::GroundResponse> response = (*client)->Ground(jpeg_bytes, {});
#ifndef OBJECTDINO_CLIENT_CPP_GROUNDING_CLIENT_H_
#define OBJECTDINO_CLIENT_CPP_GROUNDING_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc/health/v1/health.grpc.pb.h"

#include "client/cpp/security.h"
#include "objectdino/v1/grounding_service.grpc.pb.h"

namespace objectdino {

struct ClientOptions {
  absl::Duration timeout = absl::Seconds(30);  // of one call, attempts included; > 0, finite
  int max_response_bytes = 64 * 1024 * 1024;   // larger answers end in RESOURCE_EXHAUSTED
  absl::Duration first_pause = absl::Milliseconds(100);  // before the second attempt; then doubled
  SecurityOptions security;                              // none: plain text, no token
};

class GroundingClient {
 public:
  static constexpr int kMaxAttempts = 3;

  // `address`: host:port, or any gRPC target such as unix:PATH. The network is first used by the
  // first call. INVALID_ARGUMENT: an empty address, options out of range, or as MakeSecurity.
  static absl::StatusOr<std::unique_ptr<GroundingClient>> Connect(const std::string& address,
                                                                  const ClientOptions& options);

  // `encoded`: the bytes of a JPEG, PNG or WebP file. An unset option is the server's default.
  absl::StatusOr<v1::GroundResponse> Ground(std::string encoded,
                                            const v1::GroundOptions& options) const;

  // Scores `regions` of the image, in their order.
  absl::StatusOr<v1::VerifyRegionsResponse> VerifyRegions(std::string encoded,
                                                          absl::Span<const v1::Region> regions,
                                                          const v1::GroundOptions& options) const;

  absl::StatusOr<v1::GetModelInfoResponse> GetModelInfo() const;

  // Of the server as a whole: SERVING, NOT_SERVING, ...
  absl::StatusOr<grpc::health::v1::HealthCheckResponse::ServingStatus> Health() const;

 private:
  GroundingClient(const std::shared_ptr<grpc::Channel>& channel, Security security,
                  absl::Duration timeout);

  // `method`: (context, response) -> grpc::Status.
  template <typename Response, typename Method>
  absl::StatusOr<Response> Call(const Method& method) const;

  Security security_;
  absl::Duration timeout_;
  std::unique_ptr<v1::GroundingService::Stub> grounding_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

// "INVALID_ARGUMENT: the file is empty": the code's name and the message, on one line.
std::string ErrorText(const absl::Status& status);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_GROUNDING_CLIENT_H_
