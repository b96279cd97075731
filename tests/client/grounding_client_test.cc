// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/grounding_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "absl/time/clock.h"

#include "tests/client/fake_server.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using testing::FakeServer;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

std::unique_ptr<GroundingClient> ConnectTo(const std::string& address, ClientOptions options = {}) {
  options.first_pause = absl::Milliseconds(1);
  auto client = GroundingClient::Connect(address, options);
  EXPECT_THAT(client, IsOk());
  return *std::move(client);
}

FakeServer::Answer Fail(grpc::StatusCode code, const std::string& message) {
  return [=](auto&, auto&, auto&) { return grpc::Status(code, message); };
}

TEST(GroundingClientTest, Ground_ServerAnswers_BytesAndOptionsArriveAndResponseComesBack) {
  const FakeServer server(
      [](auto&, const v1::GroundRequest& request, v1::GroundResponse& response) {
        response.set_request_id(request.image().encoded());
        response.set_method(request.options().method());
        return grpc::Status::OK;
      });
  v1::GroundOptions options;
  options.set_method(v1::METHOD_OBJECT_DINO_CUT);
  const auto response = ConnectTo(server.address())->Ground("bytes", options);
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->request_id(), "bytes");
  EXPECT_EQ(response->method(), v1::METHOD_OBJECT_DINO_CUT);
}

TEST(GroundingClientTest, VerifyRegions_ServerAnswers_ScoresComeBackInOrder) {
  const FakeServer server(
      [](auto&, const v1::GroundRequest& request, v1::GroundResponse& response) {
        response.set_request_id(request.image().encoded());
        response.set_method(request.options().method());
        return grpc::Status::OK;
      });
  std::vector<v1::Region> regions(2);
  regions[0].mutable_box()->set_x2(3);
  regions[1].mutable_point()->set_x(4);
  v1::GroundOptions options;
  options.set_method(v1::METHOD_LOST);
  const auto response = ConnectTo(server.address())->VerifyRegions("bytes", regions, options);
  ASSERT_THAT(response, IsOk());
  ASSERT_EQ(response->scores_size(), 2);
  EXPECT_EQ(response->scores(0).box().x2(), 3);
  EXPECT_EQ(response->scores(1).score(), 0.125F);
  EXPECT_EQ(response->grounding().request_id(), "bytes");
  EXPECT_EQ(response->grounding().method(), v1::METHOD_LOST);
}

TEST(GroundingClientTest, VerifyRegions_Refused_StatusComesBack) {
  const FakeServer server(Fail(grpc::StatusCode::INVALID_ARGUMENT, "regions must be 1 to 256"));
  EXPECT_THAT(ConnectTo(server.address())->VerifyRegions("x", {}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "regions must be 1 to 256"));
}

TEST(GroundingClientTest, Ground_DeadlinePasses_DeadlineExceeded) {
  const FakeServer server([](grpc::ServerContext& context, auto&, auto&) {
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  });
  ClientOptions options;
  options.timeout = absl::Milliseconds(50);
  EXPECT_THAT(ConnectTo(server.address(), options)->Ground("x", {}),
              StatusIs(absl::StatusCode::kDeadlineExceeded, _));
}

TEST(GroundingClientTest, Ground_UnavailableOnce_TriedAgain) {
  std::atomic<int> failures = 1;
  const FakeServer server([&](auto&, auto&, auto&) {
    return failures-- > 0 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "starting")
                          : grpc::Status::OK;
  });
  EXPECT_THAT(ConnectTo(server.address())->Ground("x", {}), IsOk());
  EXPECT_EQ(server.calls(), 2);
}

TEST(GroundingClientTest, Ground_UnavailableOnceLargeRequest_TriedAgain) {
  std::atomic<int> failures = 1;
  const FakeServer server([&](auto&, auto&, auto&) {
    return failures-- > 0 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "starting")
                          : grpc::Status::OK;
  });
  EXPECT_THAT(ConnectTo(server.address())->Ground(std::string(3 << 20, 'x'), {}), IsOk());
  EXPECT_EQ(server.calls(), 2);
}

TEST(GroundingClientTest, Ground_AlwaysUnavailable_GivesUpAfterMaxAttempts) {
  const FakeServer server(Fail(grpc::StatusCode::UNAVAILABLE, "draining"));
  EXPECT_THAT(ConnectTo(server.address())->Ground("x", {}),
              StatusIs(absl::StatusCode::kUnavailable, "draining"));
  EXPECT_EQ(server.calls(), GroundingClient::kMaxAttempts);
}

class NoRetryTest : public ::testing::TestWithParam<grpc::StatusCode> {};

TEST_P(NoRetryTest, Ground_OtherError_NotTriedAgain) {
  const FakeServer server(Fail(GetParam(), "no"));
  EXPECT_THAT(ConnectTo(server.address())->Ground("x", {}),
              StatusIs(static_cast<absl::StatusCode>(GetParam()), "no"));
  EXPECT_EQ(server.calls(), 1);
}

INSTANTIATE_TEST_SUITE_P(Codes, NoRetryTest,
                         ::testing::Values(grpc::StatusCode::INVALID_ARGUMENT,
                                           grpc::StatusCode::RESOURCE_EXHAUSTED,
                                           grpc::StatusCode::DEADLINE_EXCEEDED,
                                           grpc::StatusCode::INTERNAL,
                                           grpc::StatusCode::UNIMPLEMENTED));

// RESOURCE_EXHAUSTED with this push-back, `times` times, then OK.
FakeServer::Answer PushBackFirst(std::atomic<int>& times, const std::string& pause_ms) {
  return [&times, pause_ms](grpc::ServerContext& context, auto&, auto&) {
    if (times-- <= 0) return grpc::Status::OK;
    context.AddTrailingMetadata("grpc-retry-pushback-ms", pause_ms);
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "busy");
  };
}

TEST(GroundingClientTest, Ground_PushBack_TriedAgainAfterThatLong) {
  std::atomic<int> times = 2;
  const FakeServer server(PushBackFirst(times, "30"));
  const absl::Time start = absl::Now();
  EXPECT_THAT(ConnectTo(server.address())->Ground("x", {}), IsOk());
  EXPECT_EQ(server.calls(), 3);
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(60));
}

TEST(GroundingClientTest, Ground_PushBackAlways_GivesUpAfterMaxAttempts) {
  std::atomic<int> times = 1000;
  const FakeServer server(PushBackFirst(times, "1"));
  EXPECT_THAT(ConnectTo(server.address())->Ground("x", {}),
              StatusIs(absl::StatusCode::kResourceExhausted, "busy"));
  EXPECT_EQ(server.calls(), GroundingClient::kMaxAttempts);
}

TEST(GroundingClientTest, Ground_PushBackForbidsOrPassesTheDeadline_NotTriedAgain) {
  for (const char* pause_ms : {"-1", "soon", "600000"}) {
    std::atomic<int> times = 1;
    const FakeServer server(PushBackFirst(times, pause_ms));
    EXPECT_THAT(ConnectTo(server.address())->Ground("x", {}),
                StatusIs(absl::StatusCode::kResourceExhausted, "busy"))
        << pause_ms;
    EXPECT_EQ(server.calls(), 1) << pause_ms;
  }
}

TEST(GroundingClientTest, Ground_NobodyListens_Unavailable) {
  std::string address;
  { address = FakeServer(Fail(grpc::StatusCode::INTERNAL, "")).address(); }
  EXPECT_THAT(ConnectTo(address)->Ground("x", {}), StatusIs(absl::StatusCode::kUnavailable, _));
}

TEST(GroundingClientTest, Ground_ResponseAboveGrpcsDefaultLimit_Arrives) {
  const FakeServer server([](auto&, auto&, v1::GroundResponse& response) {
    response.mutable_patches()->mutable_embeddings()->set_data(std::string(20 << 20, 'x'));
    return grpc::Status::OK;
  });
  const auto response = ConnectTo(server.address())->Ground("x", {});
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->patches().embeddings().data().size(), size_t{20} << 20);
}

TEST(GroundingClientTest, Ground_ResponseAboveOwnLimit_ResourceExhausted) {
  const FakeServer server([](auto&, auto&, v1::GroundResponse& response) {
    response.set_request_id(std::string(2000, 'x'));
    return grpc::Status::OK;
  });
  ClientOptions options;
  options.max_response_bytes = 1000;
  EXPECT_THAT(ConnectTo(server.address(), options)->Ground("x", {}),
              StatusIs(absl::StatusCode::kResourceExhausted, _));
}

TEST(GroundingClientTest, GetModelInfo_ServerAnswers_ModelName) {
  const FakeServer server(Fail(grpc::StatusCode::INTERNAL, ""));
  const auto info = ConnectTo(server.address())->GetModelInfo();
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->model().name(), "fake");
}

TEST(GroundingClientTest, Health_NotServing_SaysSo) {
  FakeServer server(Fail(grpc::StatusCode::INTERNAL, ""));
  server.health = grpc::health::v1::HealthCheckResponse::NOT_SERVING;
  const auto health = ConnectTo(server.address())->Health();
  ASSERT_THAT(health, IsOk());
  EXPECT_EQ(*health, grpc::health::v1::HealthCheckResponse::NOT_SERVING);
}

TEST(GroundingClientTest, Connect_EmptyAddress_InvalidArgument) {
  EXPECT_THAT(GroundingClient::Connect("", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("address")));
}

TEST(GroundingClientTest, Connect_TimeoutNotFiniteOrNotPositive_InvalidArgument) {
  for (const absl::Duration timeout :
       {absl::ZeroDuration(), absl::Seconds(-1), absl::InfiniteDuration()}) {
    ClientOptions options;
    options.timeout = timeout;
    EXPECT_THAT(GroundingClient::Connect("127.0.0.1:1", options),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("timeout")))
        << timeout;
  }
}

TEST(ErrorTextTest, ErrorText_MessageOfSeveralLines_CodeNameAndOneLine) {
  EXPECT_EQ(ErrorText(absl::InvalidArgumentError("not\nan\timage\x1b[31m")),
            "INVALID_ARGUMENT: not an image [31m");
}

}  // namespace
}  // namespace objectdino
