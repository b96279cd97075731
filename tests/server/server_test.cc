// SPDX-License-Identifier: Apache-2.0
// What surrounds the service: ports, health, reflection, metrics, drain.
#include "server/server.h"

#include <arpa/inet.h>
#include <grpcpp/generic/generic_stub.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"

#include "server/address.h"
#include "server/metrics.h"
#include "server/process_metrics.h"
#include "tests/support/fake_engine.h"
#include "tests/support/running_server.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;
using testing::RawRequest;
using testing::RunningServer;

std::string Scrape(const std::string& address) {
  const int port = ParseAddress(address)->port;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(port));
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0);
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return text;
}

HealthCheckRequest About(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

TEST(Metrics, Scrape_HasEveryNameOfTheTable) {
  RunningServer running(RunningServer::OneLaneWithMetrics());
  ASSERT_TRUE(running.Ground(RawRequest()).ok());
  const std::string text = Scrape(running.server().metrics_address());
  for (const MetricName& metric : kMetrics) {
    EXPECT_THAT(text, HasSubstr(std::string("# HELP ") + metric.name + " " + metric.help));
  }
  for (const MetricName& metric : kProcessMetrics) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + metric.name + " "));
  }
  EXPECT_THAT(text, HasSubstr("objectdino_model_ready 1"));
  EXPECT_THAT(text, HasSubstr("model=\"fake\""));
}

TEST(Metrics, EveryOutcome_IsObserved) {
  RunningServer running(RunningServer::OneLaneWithMetrics());
  ASSERT_TRUE(running.Ground(RawRequest()).ok());
  ASSERT_FALSE(running.Ground({}).ok());
  running.engine().FindNothing();
  ASSERT_TRUE(running.Ground(RawRequest()).ok());
  while (running.server().load().inflight > 0) {  // the answer is there, the call not yet over
  }
  const std::string text = Scrape(running.server().metrics_address());
  EXPECT_THAT(text, HasSubstr("objectdino_requests_total{code=\"OK\",method=\"Ground\"} 2"));
  EXPECT_THAT(
      text, HasSubstr("objectdino_requests_total{code=\"INVALID_ARGUMENT\",method=\"Ground\"} 1"));
  EXPECT_THAT(text, HasSubstr("objectdino_request_seconds_count{method=\"Ground\"} 3"));
  for (const char* stage :
       {"queue", "decode", "preprocess", "backbone", "heads", "objects", "encode"}) {
    EXPECT_THAT(
        text, HasSubstr(std::string("objectdino_stage_seconds_count{stage=\"") + stage + "\"} 2"));
  }
  EXPECT_THAT(text, HasSubstr("objectdino_empty_results_total 1"));
  EXPECT_THAT(text, HasSubstr("objectdino_low_confidence_total 1"));
  EXPECT_THAT(text, HasSubstr("objectdino_inflight 0"));
}

TEST(Metrics, LowConfidence_CountsAnswersWithEitherWarningOnce) {
  const std::pair<std::vector<WarningCode>, double> cases[] = {
      {{}, 0},
      {{WarningCode::kRandomWeights, WarningCode::kImageTooSmall}, 0},
      {{WarningCode::kLowConfidence}, 1},
      {{WarningCode::kRandomWeights, WarningCode::kNoClearObject}, 1},
      {{WarningCode::kNoClearObject, WarningCode::kLowConfidence}, 1}};
  for (const auto& [codes, expected] : cases) {
    Grounding grounding;
    for (const WarningCode code : codes) grounding.warnings.push_back({code, ""});
    Metrics metrics(testing::FakeModelFacts());
    metrics.CountResult(grounding);
    const std::string text =
        prometheus::TextSerializer().Serialize(metrics.collectable()->Collect());
    EXPECT_THAT(text, HasSubstr(absl::StrCat(kLowConfidence.name, " ", expected, "\n")));
  }
}

TEST(Metrics, Masks_AreAStageOfRequestsForThemOnly) {
  RunningServer running(RunningServer::OneLaneWithMetrics());
  v1::GroundRequest request = RawRequest();
  ASSERT_TRUE(running.Ground(request).ok());
  request.mutable_options()->add_outputs(v1::OUTPUT_PIXEL_MASKS);
  ASSERT_TRUE(running.Ground(request).ok());
  EXPECT_THAT(Scrape(running.server().metrics_address()),
              HasSubstr("objectdino_stage_seconds_count{stage=\"masks\"} 1"));
}

TEST(Health, Check_KnowsTheServerAndTheServiceOnly) {
  RunningServer running;
  const auto health = grpc::health::v1::Health::NewStub(running.channel());
  for (const char* service : {"", "objectdino.v1.GroundingService"}) {
    grpc::ClientContext context;
    HealthCheckResponse response;
    ASSERT_TRUE(health->Check(&context, About(service), &response).ok()) << service;
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << service;
  }
  grpc::ClientContext context;
  HealthCheckResponse response;
  EXPECT_EQ(health->Check(&context, About("other"), &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(Health, Watch_SeesTheDrain) {
  RunningServer running;
  const auto health = grpc::health::v1::Health::NewStub(running.channel());
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, About("objectdino.v1.GroundingService"));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  std::thread drain([&] { EXPECT_TRUE(running.server().Drain(absl::Seconds(60))); });
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));  // an open Watch does not hold the drain up
  drain.join();
}

TEST(Drain, RequestInFlight_SucceedsAndNewOnesAreUnavailable) {
  RunningServer running;
  const auto health = grpc::health::v1::Health::NewStub(running.channel());
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, About(""));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));

  running.engine().Block();
  std::thread first([&] {
    const grpc::Status status = running.Ground(RawRequest());
    EXPECT_TRUE(status.ok()) << status.error_message();
  });
  running.engine().WaitForFirstCall();
  std::thread drain([&] { EXPECT_TRUE(running.server().Drain(absl::Seconds(60))); });
  ASSERT_TRUE(watch->Read(&response));  // the drain has begun
  while (running.Ground(RawRequest(), nullptr, absl::Milliseconds(50)).error_code() !=
         grpc::StatusCode::UNAVAILABLE) {
  }
  running.engine().Release();
  first.join();
  drain.join();
}

TEST(Drain, AnnouncedStop_IsSeenAndStillServes) {
  RunningServer running(RunningServer::OneLaneWithMetrics());
  const auto health = grpc::health::v1::Health::NewStub(running.channel());
  grpc::ClientContext context;
  const auto watch = health->Watch(&context, About("objectdino.v1.GroundingService"));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  running.server().AnnounceStop();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(running.Ground(RawRequest()).ok());
  EXPECT_THAT(Scrape(running.server().metrics_address()), HasSubstr("objectdino_model_ready 0"));
  EXPECT_TRUE(running.server().Drain(absl::Seconds(60)));
  EXPECT_EQ(running.Ground(RawRequest()).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(Drain, GraceOver_CancelsWhatIsInFlight) {
  RunningServer running;
  running.engine().Block();
  std::thread first([&] { EXPECT_FALSE(running.Ground(RawRequest()).ok()); });
  running.engine().WaitForFirstCall();
  std::thread drain([&] { EXPECT_FALSE(running.server().Drain(absl::ZeroDuration())); });
  first.join();  // the caller is told at once; the lane still computes
  running.engine().Release();
  drain.join();
}

// What reflection answers to list_services ("*"); its proto has no installed header, so the request
// is spelled out.
std::pair<grpc::Status, std::string> ListServices(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  void* tag = nullptr;
  bool ok = false;
  const auto stream = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  stream->StartCall(nullptr);
  EXPECT_TRUE(queue.Next(&tag, &ok));
  std::string text;
  if (ok) {
    const grpc::Slice slice(std::string("\x3a\x01*"));
    stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok));
    grpc::ByteBuffer reply;
    stream->Read(&reply, nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok));
    grpc::Slice bytes;
    if (ok && reply.DumpToSingleSlice(&bytes).ok()) {
      text.assign(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
    }
    stream->WritesDone(nullptr);
    EXPECT_TRUE(queue.Next(&tag, &ok));
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  EXPECT_TRUE(queue.Next(&tag, &ok));
  return {status, text};
}

TEST(Reflection, ListServices_HasTheServiceAndHealth) {
  RunningServer running;
  const auto [status, text] = ListServices(running.channel());
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(text, HasSubstr("objectdino.v1.GroundingService"));
  EXPECT_THAT(text, HasSubstr("grpc.health.v1.Health"));
}

TEST(Reflection, SwitchedOff_IsUnimplemented) {
  RunningServer described;  // another server of the process has it
  ServerConfig config = RunningServer::OneLane();
  config.reflection = false;
  RunningServer running(config);
  EXPECT_EQ(ListServices(running.channel()).first.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST(Start, InputSmallerThanAPatch_IsRefused) {
  EventLog log(std::make_shared<testing::LogCapture>(), "info");
  ServerConfig config = RunningServer::OneLane();
  config.limits.max_input_size = 13;
  EXPECT_THAT(
      Server::Start(config, std::make_unique<testing::FakeEngine>(), log),
      testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("max-input-size")));
}

TEST(Start, BadTokenFile_IsRefused) {
  EventLog log(std::make_shared<testing::LogCapture>(), "info");
  ServerConfig config = RunningServer::OneLane();
  config.token_file = "/does/not/exist";
  EXPECT_THAT(
      Server::Start(config, std::make_unique<testing::FakeEngine>(), log),
      testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/does/not/exist")));
}

TEST(Start, TakenPort_IsOneClearError) {
  RunningServer running(RunningServer::OneLaneWithMetrics());
  EventLog log(std::make_shared<testing::LogCapture>(), "info");
  ServerConfig config = RunningServer::OneLane();
  config.listen = running.server().grpc_address();
  EXPECT_THAT(Server::Start(config, std::make_unique<testing::FakeEngine>(), log),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(config.listen)));
  config = RunningServer::OneLaneWithMetrics();
  config.metrics_listen = running.server().metrics_address();
  EXPECT_THAT(
      Server::Start(config, std::make_unique<testing::FakeEngine>(), log),
      testing::StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(config.metrics_listen)));
}

}  // namespace
}  // namespace objectdino
