// SPDX-License-Identifier: Apache-2.0
// The status contract of the proto, over a socket: a test a row.
#include "server/grounding_service.h"

#include <thread>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

#include "server/version.h"
#include "tests/support/files.h"
#include "tests/support/running_server.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::RawRequest;
using testing::RunningServer;

template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  Detail detail;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  ADD_FAILURE() << "no " << Detail::descriptor()->full_name() << " in " << details.DebugString();
  return detail;
}

std::string ReadFile(const std::string& name) {
  return testing::ReadRepositoryFile("tests/data/" + name);
}

TEST(Ground, RawImage_IsAnswered) {
  RunningServer running;
  v1::GroundResponse response;
  const grpc::Status status = running.Ground(RawRequest("a"), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.request_id(), "a");
  EXPECT_EQ(response.image().format(), "raw");
  EXPECT_EQ(response.objects_size(), 1);
  EXPECT_EQ(response.model().name(), "fake");
  EXPECT_FLOAT_EQ(response.timing().backbone_ms(), 7);
  EXPECT_EQ(response.timing().batch_size(), 1U);
}

TEST(Ground, EncodedImage_IsAnswered) {
  RunningServer running;
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(ReadFile("png8.png"));
  v1::GroundResponse response;
  const grpc::Status status = running.Ground(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.image().format(), "png");
}

TEST(Ground, Heads_ComeWithTheirAnalysisOnRequest) {
  RunningServer running;
  v1::GroundRequest request = RawRequest();
  v1::GroundResponse response;
  ASSERT_TRUE(running.Ground(request, &response).ok());
  EXPECT_FALSE(response.has_head_analysis());
  request.mutable_options()->add_outputs(v1::OUTPUT_HEADS);
  ASSERT_TRUE(running.Ground(request, &response).ok());
  EXPECT_EQ(response.heads_size(), 2);
  EXPECT_EQ(response.head_analysis().clusters_size(), 72);
  EXPECT_EQ(response.head_analysis().self_similarity().data().size(), 1296U * 2);
}

TEST(Ground, HeadMapsOverTheResponseLimit_AreExhausted) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_response_bytes = 2000;
  RunningServer running(config);
  v1::GroundRequest request = RawRequest();
  ASSERT_TRUE(running.Ground(request).ok());
  request.mutable_options()->add_outputs(v1::OUTPUT_HEADS);
  const grpc::Status status = running.Ground(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).reason(), "RESPONSE_TOO_LARGE");
  // Found out while the masks are made.
  running.engine().FailAtTheEndWith(absl::OutOfRangeError("masks"));
  const grpc::Status masks = running.Ground(RawRequest());
  EXPECT_EQ(masks.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(masks).reason(), "RESPONSE_TOO_LARGE");
}

TEST(Ground, CorruptImage_IsInvalidWithTheField) {
  RunningServer running;
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(ReadFile("truncated.jpg"));
  const grpc::Status status = running.Ground(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(status).field_violations(0).field(), "image.encoded");
}

TEST(Ground, BadOption_IsInvalidWithTheField) {
  RunningServer running;
  v1::GroundRequest request = RawRequest();
  request.mutable_options()->set_clusters(1);
  const grpc::Status status = running.Ground(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "options.clusters must be in [2, 64], got 1");
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(status).field_violations(0).field(),
            "options.clusters");
}

TEST(Ground, TooManyPixels_IsInvalidWithTheReason) {
  RunningServer running;
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(ReadFile("bomb_20000x20000_1bit.png"));
  const grpc::Status status = running.Ground(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).reason(), "IMAGE_TOO_LARGE");
}

TEST(Ground, RequestTooLarge_IsExhausted) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_request_bytes = 1 << 20;
  RunningServer running(config);
  v1::GroundRequest request;
  request.mutable_image()->set_encoded(std::string(2 << 20, 'x'));
  EXPECT_EQ(running.Ground(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(Ground, ResponseTooLarge_IsExhaustedWithTheReason) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_response_bytes = 100;
  RunningServer running(config);
  const grpc::Status status = running.Ground(RawRequest());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).reason(), "RESPONSE_TOO_LARGE");
  // Found out while the masks are made.
  running.engine().FailAtTheEndWith(absl::OutOfRangeError("masks"));
  const grpc::Status masks = running.Ground(RawRequest());
  EXPECT_EQ(masks.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(masks).reason(), "RESPONSE_TOO_LARGE");
}

TEST(Ground, QueueFull_IsExhaustedWithARetryDelay) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_queue = 1;
  RunningServer running(config);
  running.engine().Block();
  std::thread computed([&] { EXPECT_TRUE(running.Ground(RawRequest()).ok()); });
  running.engine().WaitForFirstCall();
  std::thread waiting([&] { EXPECT_TRUE(running.Ground(RawRequest()).ok()); });
  while (running.server().load().queue_depth < 1) {
  }
  grpc::ClientContext context;
  const grpc::Status status = running.GroundIn(&context, RawRequest());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto delay = DetailOf<google::rpc::RetryInfo>(status).retry_delay();
  EXPECT_GT(delay.seconds() + delay.nanos(), 0);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1U);
  running.engine().Release();
  computed.join();
  waiting.join();
  EXPECT_TRUE(running.Ground(RawRequest()).ok());  // the place is free again
}

TEST(Ground, DeadlinePassesInTheQueue_EngineIsNotCalled) {
  RunningServer running;
  running.engine().Block();
  std::thread first([&] { EXPECT_TRUE(running.Ground(RawRequest()).ok()); });
  running.engine().WaitForFirstCall();
  EXPECT_EQ(running.Ground(RawRequest("late"), nullptr, absl::Milliseconds(50)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  while (running.server().load().inflight > 1) {  // taken out at its deadline, by no lane
  }
  running.engine().Release();
  first.join();
  EXPECT_EQ(running.engine().calls(), 1);
}

TEST(Ground, CancelledInTheQueue_EngineIsNotCalled) {
  RunningServer running;
  running.engine().Block();
  std::thread first([&] { EXPECT_TRUE(running.Ground(RawRequest("first")).ok()); });
  running.engine().WaitForFirstCall();
  grpc::ClientContext context;
  std::thread second([&] {
    EXPECT_EQ(running.GroundIn(&context, RawRequest("second")).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  while (running.server().load().queue_depth < 1) {
  }
  context.TryCancel();
  second.join();
  EXPECT_EQ(running.log().WaitFor("ground.done", "second")["code"], "CANCELLED");
  running.engine().Release();
  first.join();
  EXPECT_EQ(running.engine().calls(), 1);
}

TEST(CheckStillWanted, DeadlineIsLookedAtFirst) {
  const absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  EXPECT_TRUE(CheckStillWanted(false, now + absl::Seconds(1), now).ok());
  EXPECT_TRUE(CheckStillWanted(false, absl::InfiniteFuture(), now).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(CheckStillWanted(true, now, now)));
  EXPECT_TRUE(absl::IsCancelled(CheckStillWanted(true, now + absl::Seconds(1), now)));
}

TEST(Ground, OutOfMemory_IsExhausted) {
  RunningServer running;
  running.engine().FailWith(absl::ResourceExhaustedError("out of memory"));
  EXPECT_EQ(running.Ground(RawRequest()).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(Ground, EngineFault_IsInternalWithALoggedId) {
  RunningServer running;
  running.engine().FailWith(absl::InternalError("secret of the engine"));
  const grpc::Status status = running.Ground(RawRequest("a"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  const nlohmann::json line = running.log().WaitFor("ground.done", "a");
  EXPECT_THAT(status.error_message(), HasSubstr(line["incident"].get<std::string>()));
  EXPECT_THAT(status.error_message(), ::testing::Not(HasSubstr("secret")));
  EXPECT_EQ(line["message"], "secret of the engine");
  EXPECT_EQ(line["level"], "error");
}

TEST(Ground, Outcome_IsOneLogLine) {
  RunningServer running;
  ASSERT_TRUE(running.Ground(RawRequest("a")).ok());
  const nlohmann::json line = running.log().WaitFor("ground.done", "a");
  EXPECT_EQ(line["code"], "OK");
  EXPECT_EQ(line["backbone_ms"], 7);
  EXPECT_THAT(line["peer"].get<std::string>(), HasSubstr("127.0.0.1"));
  EXPECT_GT(line["request_bytes"], 0);
  EXPECT_GT(line["response_bytes"], 0);
}

TEST(GetModelInfo, Call_DescribesModelLimitsAndDefaults) {
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_queue = 5;
  RunningServer running(config);
  grpc::ClientContext context;
  v1::GetModelInfoResponse info;
  ASSERT_TRUE(running.stub().GetModelInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.model().name(), "fake");
  EXPECT_EQ(info.family(), "dinov2");
  EXPECT_EQ(info.layers(), 12U);
  EXPECT_EQ(info.patch_size(), 14U);
  EXPECT_EQ(info.build_version(), kVersion);
  EXPECT_EQ(info.limits().max_queue(), 5U);
  EXPECT_EQ(info.defaults().clusters(), 5U);
  EXPECT_EQ(info.defaults().method(), v1::METHOD_OBJECT_DINO);
  EXPECT_EQ(info.defaults().components_size(), 3);
  EXPECT_EQ(info.defaults().layer_scope(), v1::LAYER_SCOPE_ALL);
  EXPECT_EQ(info.methods_size(), 6);
}

}  // namespace
}  // namespace objectdino
