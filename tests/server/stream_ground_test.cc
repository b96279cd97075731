// SPDX-License-Identifier: Apache-2.0
// StreamGround over a socket: an outcome an image, flow control, ends of all kinds.
#include <map>
#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

#include "tests/support/running_server.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::RawRequest;
using testing::RunningServer;
using Stream = grpc::ClientReaderWriter<v1::StreamGroundRequest, v1::StreamGroundResponse>;

constexpr int kWindow = Server::StreamWindow(/*lanes=*/1);

v1::StreamGroundRequest Item(const std::string& id) {
  v1::StreamGroundRequest item;
  *item.mutable_request() = RawRequest(id);
  return item;
}

// All answers until the stream ends, by id.
std::map<std::string, v1::StreamGroundResponse> ReadAll(Stream& stream) {
  std::map<std::string, v1::StreamGroundResponse> answers;
  v1::StreamGroundResponse answer;
  while (stream.Read(&answer)) {
    EXPECT_TRUE(answers.emplace(answer.request_id(), answer).second) << answer.request_id();
  }
  return answers;
}

TEST(StreamGround, EveryImage_HasItsOutcome) {
  RunningServer running;
  grpc::ClientContext context;
  const auto stream = running.stub().StreamGround(&context);
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(stream->Write(Item(std::to_string(i))));
    stream->WritesDone();
  });
  const auto answers = ReadAll(*stream);
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(answers.size(), 50U);
  for (const auto& [id, answer] : answers) {
    EXPECT_EQ(answer.code(), 0) << answer.message();
    EXPECT_EQ(answer.response().request_id(), id);
    EXPECT_EQ(answer.response().objects_size(), 1);
  }
}

TEST(StreamGround, BadImage_FailsAloneWithItsDetails) {
  RunningServer running;
  grpc::ClientContext context;
  const auto stream = running.stub().StreamGround(&context);
  v1::StreamGroundRequest bad = Item("bad");
  bad.mutable_request()->mutable_image()->set_encoded("no image");
  ASSERT_TRUE(stream->Write(Item("first")));
  ASSERT_TRUE(stream->Write(bad));
  ASSERT_TRUE(stream->Write(Item("last")));
  stream->WritesDone();
  auto answers = ReadAll(*stream);
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answers["first"].code(), grpc::StatusCode::OK);
  EXPECT_EQ(answers["last"].code(), grpc::StatusCode::OK);
  EXPECT_EQ(answers["bad"].code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_FALSE(answers["bad"].has_response());
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(answers["bad"].status_details()));
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(details.details(0).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "image.encoded");
}

TEST(StreamGround, IdMissingOrTwice_IsInvalid) {
  RunningServer running;
  running.engine().Block();
  grpc::ClientContext context;
  const auto stream = running.stub().StreamGround(&context);
  ASSERT_TRUE(stream->Write(Item("a")));
  running.engine().WaitForFirstCall();
  ASSERT_TRUE(stream->Write(Item("a")));
  v1::StreamGroundResponse answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(answer.message(), HasSubstr("not yet answered"));
  ASSERT_TRUE(stream->Write(Item("")));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_THAT(answer.message(), HasSubstr("must not be empty"));
  running.engine().Release();
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.code(), grpc::StatusCode::OK);
  ASSERT_TRUE(stream->Write(Item("a")));  // answered by now, so the id is free again
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.code(), grpc::StatusCode::OK);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(StreamGround, SenderWithoutLimits_HasAWindowInTheHouse) {
  RunningServer running;
  running.engine().Block();
  grpc::ClientContext context;
  const auto stream = running.stub().StreamGround(&context);
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(stream->Write(Item(std::to_string(i))));
    stream->WritesDone();
  });
  running.engine().WaitForFirstCall();
  while (running.server().load().inflight < kWindow) {
  }
  EXPECT_EQ(running.server().load().inflight, kWindow);
  running.engine().Release();
  EXPECT_EQ(ReadAll(*stream).size(), 200U);  // none was refused
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(StreamGround, Cancelled_LeavesNothingBehind) {
  RunningServer running;
  running.engine().Block();
  grpc::ClientContext context;
  const auto stream = running.stub().StreamGround(&context);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(Item(std::to_string(i))));
  running.engine().WaitForFirstCall();
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(running.server().Drain(absl::Seconds(60)));  // the engine is never released
}

// Answers of 1 MiB: more of them than the connection takes are on their way.
TEST(StreamGround, CallerWhoDoesNotRead_IsCutOffAndItsMemoryGivenBack) {
  ServerConfig config = RunningServer::OneLane();
  config.send_timeout_seconds = 1;
  RunningServer running(config);
  running.engine().MakeMasksOf(size_t{1} << 20);
  grpc::ClientContext context;
  const auto stream = running.stub().StreamGround(&context);
  v1::StreamGroundRequest item = Item("");
  item.mutable_request()->mutable_options()->add_outputs(v1::OUTPUT_PIXEL_MASKS);
  v1::RawImage* raw = item.mutable_request()->mutable_image()->mutable_raw();
  raw->set_height(200);
  raw->set_width(200);
  raw->set_rgb(std::string(200 * 200 * 3, '\0'));
  // The server stops reading while its window is full; a write fails once it has ended the call.
  for (int i = 0; i < 1000; ++i) {
    item.mutable_request()->set_request_id(std::to_string(i));
    if (!stream->Write(item)) break;
    ASSERT_LT(i, 999) << "it went on reading";
  }
  while (running.server().load().inflight > 0) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_TRUE(running.Ground(RawRequest()).ok());
  v1::StreamGroundResponse answer;
  while (stream->Read(&answer)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST(StreamGround, DrainInTheMiddle_AnswersWhatIsInside) {
  RunningServer running;
  running.engine().Block();
  grpc::ClientContext context;
  const auto stream = running.stub().StreamGround(&context);
  ASSERT_TRUE(stream->Write(Item("inside")));
  running.engine().WaitForFirstCall();
  std::thread drain([&] { EXPECT_TRUE(running.server().Drain(absl::Seconds(60))); });
  while (running.Ground(RawRequest(), nullptr, absl::Milliseconds(50)).error_code() !=
         grpc::StatusCode::UNAVAILABLE) {
  }
  v1::StreamGroundResponse answer;
  ASSERT_TRUE(stream->Write(Item("late")));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.request_id(), "late");
  EXPECT_EQ(answer.code(), grpc::StatusCode::UNAVAILABLE);
  running.engine().Release();
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.request_id(), "inside");
  EXPECT_EQ(answer.code(), grpc::StatusCode::OK);
  drain.join();
}

}  // namespace
}  // namespace objectdino
