// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/stream_transport.h"

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

// Answers with the length of the image as decode_ms.
grpc::Status AnswerWithLength(grpc::ServerContext&, const v1::GroundRequest& request,
                              v1::GroundResponse& response) {
  if (request.image().encoded().empty()) return {grpc::StatusCode::INVALID_ARGUMENT, "empty"};
  response.mutable_timing()->set_decode_ms(static_cast<float>(request.image().encoded().size()));
  return grpc::Status::OK;
}

std::shared_ptr<grpc::ServerCredentials> Plain() { return grpc::InsecureServerCredentials(); }

struct Client {
  Client(const FakeServer& server, size_t streams)
      : transport({grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials())},
                  streams, Security(), answers.Collector()) {}

  void Start(uint64_t id, const std::string& image, size_t caller = 0) {
    transport.Start(MakeRequest(id, image, caller), absl::Seconds(60));
  }

  Answers answers;
  StreamTransport transport;
};

TEST(StreamTransportTest, Start_AnswersInAnotherOrder_EachToItsRequest) {
  const FakeServer server(AnswerWithLength, Plain(), FakeServer::Streams::kInPairs);
  Client client(server, 1);
  for (uint64_t id = 1; id <= 20; ++id) client.Start(id, std::string(1000 * id, 'x'));
  for (const auto& [id, answer] : client.answers.Wait(20)) {
    EXPECT_EQ(answer.code, grpc::OK);
    ASSERT_TRUE(answer.timing.has_value());
    EXPECT_EQ(answer.timing->decode_ms(), static_cast<float>(1000 * id));
  }
  EXPECT_EQ(server.streams(), 1);
}

TEST(StreamTransportTest, Start_BadItem_ItsOwnStatusAndTheOthersGoOn) {
  const FakeServer server(AnswerWithLength, Plain(), FakeServer::Streams::kServed);
  Client client(server, 1);
  client.Start(1, "");
  client.Start(2, "xx");
  const auto answers = client.answers.Wait(2);
  EXPECT_EQ(answers.at(1).code, grpc::INVALID_ARGUMENT);
  EXPECT_EQ(answers.at(1).message, "empty");
  EXPECT_EQ(answers.at(2).code, grpc::OK);
  EXPECT_EQ(server.streams(), 1);
}

TEST(StreamTransportTest, Start_Callers_ShareStreamsByTheirNumber) {
  const FakeServer server(AnswerWithLength, Plain(), FakeServer::Streams::kServed);
  Client client(server, 3);
  for (uint64_t id = 1; id <= 12; ++id) client.Start(id, "x", id % 6);
  client.answers.Wait(12);
  EXPECT_EQ(server.streams(), 3);
}

TEST(StreamTransportTest, Start_StreamBreaks_ItsRequestsFailAndTheNextOpensAnother) {
  const FakeServer server(AnswerWithLength, Plain(), FakeServer::Streams::kServed);
  Client client(server, 1);
  client.Start(1, "break");
  EXPECT_EQ(client.answers.Wait(1).at(1).code, grpc::UNAVAILABLE);
  client.Start(2, "x");
  EXPECT_EQ(client.answers.Wait(2).at(2).code, grpc::OK);
  EXPECT_EQ(server.streams(), 2);
}

TEST(StreamTransportTest, Start_ServerWithoutStreams_Unimplemented) {
  const FakeServer server(AnswerWithLength);
  Client client(server, 1);
  client.Start(1, "x");
  EXPECT_EQ(client.answers.Wait(1).at(1).code, grpc::UNIMPLEMENTED);
}

TEST(StreamTransportTest, Close_RequestOut_CancelledAndDone) {
  const FakeServer server(
      [](grpc::ServerContext& context, auto&, auto&) {
        while (!context.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return grpc::Status::CANCELLED;
      },
      Plain(), FakeServer::Streams::kServed);
  Client client(server, 2);
  client.Start(1, "x", 0);
  client.Start(2, "x", 1);
  client.transport.Close();
  for (const auto& [_, answer] : client.answers.Wait(2)) EXPECT_EQ(answer.code, grpc::CANCELLED);
}

}  // namespace
}  // namespace objectdino
