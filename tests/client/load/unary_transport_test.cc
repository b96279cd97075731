// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/unary_transport.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <thread>

#include "tests/client/fake_server.h"
#include "tests/client/load/answers.h"

namespace objectdino {
namespace {

using testing::Answers;
using testing::FakeServer;
using testing::MakeRequest;

struct Client {
  explicit Client(const FakeServer& server, Security security = {})
      : transport({grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials())},
                  std::move(security), answers.Collector()) {}

  Answers answers;
  UnaryTransport transport;
};

TEST(UnaryTransportTest, Start_ServerAnswers_RequestArrivesAndTimingComesBack) {
  const FakeServer server(
      [](auto&, const v1::GroundRequest& request, v1::GroundResponse& response) {
        if (request.image().encoded() != "image") return grpc::Status(grpc::INTERNAL, "other");
        response.mutable_timing()->set_backbone_ms(12);
        return grpc::Status::OK;
      });
  Client client(server);
  for (uint64_t id = 1; id <= 20; ++id) {
    client.transport.Start(MakeRequest(id), absl::Seconds(60));
  }
  for (const auto& [id, answer] : client.answers.Wait(20)) {
    EXPECT_EQ(answer.code, grpc::OK) << answer.message;
    ASSERT_TRUE(answer.timing.has_value());
    EXPECT_EQ(answer.timing->backbone_ms(), 12);
    EXPECT_GT(answer.bytes, 0U);
  }
  EXPECT_EQ(server.calls(), 20);
}

TEST(UnaryTransportTest, Start_ServerRejects_CodeMessageAndPushBack) {
  const FakeServer server([](grpc::ServerContext& context, auto&, auto&) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", "70");
    return grpc::Status(grpc::RESOURCE_EXHAUSTED, "busy");
  });
  Client client(server);
  client.transport.Start(MakeRequest(1), absl::Seconds(60));
  const LoadAnswer answer = client.answers.Wait(1).at(1);
  EXPECT_EQ(answer.code, grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(answer.message, "busy");
  EXPECT_EQ(answer.push_back, absl::Milliseconds(70));
  EXPECT_FALSE(answer.timing.has_value());
}

TEST(UnaryTransportTest, Start_PushBackThatForbids_None) {
  const FakeServer server([](grpc::ServerContext& context, auto&, auto&) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
    return grpc::Status(grpc::RESOURCE_EXHAUSTED, "busy");
  });
  Client client(server);
  client.transport.Start(MakeRequest(1), absl::Seconds(60));
  EXPECT_EQ(client.answers.Wait(1).at(1).push_back, std::nullopt);
}

grpc::Status WaitForTheEnd(grpc::ServerContext& context, const v1::GroundRequest&,
                           v1::GroundResponse&) {
  while (!context.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return grpc::Status::CANCELLED;
}

TEST(UnaryTransportTest, Start_DeadlinePasses_DeadlineExceeded) {
  const FakeServer server(WaitForTheEnd);
  Client client(server);
  client.transport.Start(MakeRequest(1), absl::Milliseconds(50));
  EXPECT_EQ(client.answers.Wait(1).at(1).code, grpc::DEADLINE_EXCEEDED);
}

TEST(UnaryTransportTest, Cancel_OneOfTwo_OnlyThatOne) {
  std::atomic<bool> go_on = false;
  const FakeServer server([&](grpc::ServerContext& context, auto&, auto&) {
    while (!context.IsCancelled() && !go_on)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return grpc::Status::OK;
  });
  Client client(server);
  client.transport.Start(MakeRequest(1), absl::Seconds(60));
  client.transport.Start(MakeRequest(2), absl::Seconds(60));
  client.transport.Cancel(2);
  client.transport.Cancel(77);  // not on its way
  EXPECT_EQ(client.answers.Wait(1).at(2).code, grpc::CANCELLED);
  go_on = true;
  EXPECT_EQ(client.answers.Wait(2).at(1).code, grpc::OK);
}

TEST(UnaryTransportTest, Close_RequestsOut_AllCancelledAndDone) {
  const FakeServer server(WaitForTheEnd);
  Client client(server);
  for (uint64_t id = 1; id <= 5; ++id) {
    client.transport.Start(MakeRequest(id), absl::Seconds(60));
  }
  client.transport.Close();
  const auto answers = client.answers.Wait(5);
  ASSERT_EQ(answers.size(), 5U);
  for (const auto& [_, answer] : answers) EXPECT_EQ(answer.code, grpc::CANCELLED);
}

TEST(UnaryTransportTest, Start_Token_SentWithEveryCall) {
  const FakeServer server([](grpc::ServerContext& context, auto&, auto&) {
    const auto& metadata = context.client_metadata();
    const auto token = metadata.find("authorization");
    return token != metadata.end() && token->second == "Bearer secret"
               ? grpc::Status::OK
               : grpc::Status(grpc::UNAUTHENTICATED, "who?");
  });
  Security security;
  security.authorization = "Bearer secret";
  Client client(server, security);
  client.transport.Start(MakeRequest(1), absl::Seconds(60));
  client.transport.Start(MakeRequest(2), absl::Seconds(60));
  for (const auto& [_, answer] : client.answers.Wait(2)) EXPECT_EQ(answer.code, grpc::OK);
}

}  // namespace
}  // namespace objectdino
