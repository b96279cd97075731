// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <utility>

#include "absl/time/clock.h"
#include "nlohmann/json.hpp"

#include "client/cpp/commands/run.h"
#include "client/cpp/image_files.h"
#include "core/base/mutex.h"
#include "tests/client/certificates.h"
#include "tests/client/fake_server.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::FakeServer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Refuses what `objectdino load` sends as bad input; the good images are "0123456789".
grpc::Status Answer(grpc::ServerContext&, const v1::GroundRequest& request,
                    v1::GroundResponse& response) {
  if (request.image().encoded() != "0123456789" || request.options().max_objects() > 100) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "bad\ninput"};
  }
  response.mutable_timing()->set_backbone_ms(2);
  response.mutable_timing()->set_batch_size(3);
  return grpc::Status::OK;
}

class LoadCommandTest : public ::testing::Test {
 protected:
  LoadCommandTest()
      : server_(Answer),
        folder_(fs::path(::testing::TempDir()) /
                ("load_" +
                 std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const char* name : {"a.jpg", "b.jpg"}) {
      EXPECT_TRUE(WriteFile(folder_ / name, "0123456789").ok());
    }
  }
  ~LoadCommandTest() override { fs::remove_all(folder_); }

  int Load(const FakeServer& server, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"load", "--server", server.address()});
    arguments.push_back(folder_.string());
    return Run(std::move(arguments));
  }
  int Run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    return RunObjectdino(std::move(arguments), {out_, err_, false, interrupted_});
  }
  nlohmann::json Document() const { return nlohmann::json::parse(out_.str()); }

  FakeServer server_;
  fs::path folder_;
  std::ostringstream out_;
  std::ostringstream err_;
  std::atomic<bool> interrupted_ = false;
};

TEST_F(LoadCommandTest, ClosedLoop_Requests_TableOnStdoutNothingElse) {
  EXPECT_EQ(Load(server_, {"--concurrency", "3", "--requests", "20"}), kExitOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("20 offered, 20 sent, 20 completed"),
                                HasSubstr("20 OK\n"), HasSubstr("3.00 images on average")));
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(server_.calls(), 20);
}

TEST_F(LoadCommandTest, ClosedLoop_Json_FiguresOfTheRun) {
  EXPECT_EQ(Load(server_, {"--concurrency", "3", "--requests", "20", "--json"}), kExitOk);
  const auto document = Document();
  EXPECT_EQ(document["setup"]["concurrency"], 3);
  EXPECT_EQ(document["setup"]["images"], 2);
  EXPECT_EQ(document["codes"], nlohmann::json::parse(R"({"OK": 20})"));
  EXPECT_EQ(document["latency_ms"]["count"], 20);
  EXPECT_EQ(document["stages_ms"]["backbone"]["p50"], 2);
  EXPECT_EQ(document["batch_size"]["max"], 3);
  EXPECT_NEAR(
      document["throughput_per_second"].get<double>() * document["window_seconds"].get<double>(),
      20, 1e-6);
  EXPECT_EQ(document["goodput_share"], 1);
  size_t ok = 0;
  for (const auto& second : document["series"]) ok += second["ok"].get<size_t>();
  EXPECT_EQ(ok, 20U);
}

TEST_F(LoadCommandTest, OpenLoop_ServerStallsOnce_AllDueMeanwhileAreSlow) {
  constexpr absl::Duration kStall = absl::Milliseconds(300);
  Mutex mutex;
  absl::Time over = absl::InfinitePast();  // guarded by mutex
  const FakeServer server([&](auto& context, auto& request, auto& response) {
    absl::Time until;
    {
      const MutexLock lock(mutex);
      if (over == absl::InfinitePast()) over = absl::Now() + kStall;
      until = over;
    }
    absl::SleepFor(until - absl::Now());
    return Answer(context, request, response);
  });
  EXPECT_EQ(Load(server, {"--rate", "200", "--requests", "100", "--json"}), kExitOk);
  const auto document = Document();
  EXPECT_EQ(document["setup"]["mode"], "open");
  EXPECT_EQ(document["requests"]["offered"], 100);
  // About 60 of the 100 were due during the stall, evenly: their mean is half of it.
  EXPECT_GE(document["latency_ms"]["max"], 295);
  EXPECT_GE(document["latency_ms"]["p50"], 20);
  EXPECT_GE(document["latency_ms"]["mean"], 60);
}

TEST_F(LoadCommandTest, BadInput_AllRefused_CountedApart) {
  EXPECT_EQ(Load(server_, {"--requests", "60", "--bad-share", "0.5", "--json"}), kExitOk);
  const auto document = Document();
  const size_t bad = document["bad_input"]["sent"];
  EXPECT_GT(bad, 10U);
  EXPECT_LT(bad, 50U);
  EXPECT_EQ(document["bad_input"]["refused"], bad);
  EXPECT_EQ(document["codes"]["INVALID_ARGUMENT"], bad);
  EXPECT_EQ(document["codes"]["OK"], 60 - bad);
  EXPECT_EQ(document["latency_ms"]["count"], 60 - bad);
}

TEST_F(LoadCommandTest, BadInput_Accepted_RunIsNotValid) {
  const FakeServer server([](auto&, auto&, auto&) { return grpc::Status::OK; });
  EXPECT_EQ(Load(server, {"--requests", "20", "--bad-share", "1"}), kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("warning: 20 requests with bad input were not refused"));
}

TEST_F(LoadCommandTest, Cancellations_SlowServer_CancelledAtTheServerToo) {
  std::atomic<int> cancelled = 0;
  const FakeServer server([&](grpc::ServerContext& context, auto&, auto&) {
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    ++cancelled;
    return grpc::Status::OK;
  });
  EXPECT_EQ(Load(server, {"--requests", "30", "--concurrency", "10", "--cancel-share", "1",
                          "--cancel-after", "5:10", "--json"}),
            kExitFailed);  // no answer at all
  const auto document = Document();
  EXPECT_EQ(document["cancellations"]["planned"], 30);
  EXPECT_EQ(document["cancellations"]["cancelled"], 30);
  EXPECT_THAT(err_.str(), HasSubstr("no request was answered: CANCELLED"));
}

TEST_F(LoadCommandTest, DeadlineRange_SlowServer_DeadlineExceededInRange) {
  const FakeServer server([](grpc::ServerContext& context, auto&, auto&) {
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::CANCELLED;
  });
  EXPECT_EQ(Load(server, {"--requests", "5", "--deadline-range", "5:20", "--json"}), kExitFailed);
  EXPECT_EQ(Document()["codes"]["DEADLINE_EXCEEDED"], 5);
  EXPECT_EQ(Document()["setup"]["deadline_ms"], (std::vector<double>{5, 20}));
}

TEST_F(LoadCommandTest, Rejected_All_RunIsValidWithTheirLatency) {
  const FakeServer server([](auto&, auto&, auto&) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "busy");
  });
  EXPECT_EQ(Load(server, {"--requests", "10", "--json"}), kExitOk);
  const auto document = Document();
  EXPECT_EQ(document["rejection_latency_ms"]["count"], 10);
  EXPECT_EQ(document["latency_ms"]["count"], 0);
  EXPECT_EQ(document["goodput_share"], 0);
  EXPECT_EQ(document["attempts"]["total"], 10);
}

TEST_F(LoadCommandTest, Retry_PushBack_TriedAgainUntilAnswered) {
  std::atomic<int> calls = 0;
  const FakeServer server([&](grpc::ServerContext& context, auto& request, auto& response) {
    if (++calls % 3 == 0) return Answer(context, request, response);
    context.AddTrailingMetadata("grpc-retry-pushback-ms", "2");
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "busy");
  });
  EXPECT_EQ(Load(server, {"--requests", "5", "--retry", "--json"}), kExitOk);
  const auto document = Document();
  EXPECT_EQ(document["codes"]["OK"], 5);
  EXPECT_EQ(document["attempts"]["total"], 15);
  EXPECT_EQ(document["attempts"]["retried_requests"], 5);
  EXPECT_EQ(document["attempts"]["max"], 3);
}

TEST_F(LoadCommandTest, MaxOutstanding_TooLittle_DroppedAndNotValid) {
  const FakeServer server([](auto& context, auto& request, auto& response) {
    absl::SleepFor(absl::Milliseconds(300));
    return Answer(context, request, response);
  });
  EXPECT_EQ(Load(server, {"--rate", "500", "--requests", "40", "--max-outstanding", "4", "--json"}),
            kExitFailed);
  const size_t dropped = Document()["requests"]["dropped"];
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(Document()["requests"]["sent"], 40 - dropped);
  EXPECT_THAT(err_.str(), HasSubstr("requests were not sent"));
}

TEST_F(LoadCommandTest, Stream_ServerStreams_SameFiguresThroughOneStreamACaller) {
  const FakeServer server(Answer, grpc::InsecureServerCredentials(), FakeServer::Streams::kServed);
  EXPECT_EQ(Load(server, {"--stream", "--concurrency", "2", "--requests", "40", "--bad-share",
                          "0.25", "--json"}),
            kExitOk);
  const auto document = Document();
  EXPECT_EQ(server.streams(), 2);
  EXPECT_EQ(document["codes"]["OK"].get<int>() + document["codes"]["INVALID_ARGUMENT"].get<int>(),
            40);
  EXPECT_EQ(document["bad_input"]["refused"], document["bad_input"]["sent"]);
  EXPECT_EQ(document["stages_ms"]["backbone"]["p50"], 2);
}

TEST_F(LoadCommandTest, Stream_NotOffered_SaysSo) {
  EXPECT_EQ(Load(server_, {"--stream", "--requests", "3"}), kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("no request was answered: UNIMPLEMENTED"));
}

TEST_F(LoadCommandTest, Options_MethodAndSizes_ReachTheServer) {
  Mutex mutex;
  std::set<uint32_t> sizes;
  std::set<int> methods;
  const FakeServer server([&](auto&, const v1::GroundRequest& request, auto&) {
    const MutexLock lock(mutex);
    sizes.insert(request.options().input_size());
    methods.insert(request.options().method());
    return grpc::Status::OK;
  });
  EXPECT_EQ(Load(server, {"--requests", "40", "--method", "lost", "--sizes", "224,448"}), kExitOk);
  EXPECT_THAT(sizes, ::testing::ElementsAre(224, 448));
  EXPECT_THAT(methods, ::testing::ElementsAre(v1::METHOD_LOST));
}

TEST_F(LoadCommandTest, Security_TlsAndTokenFlags_ReachTheServer) {
  const testing::Certificates certificates(folder_);
  certificates.MakeAuthority("authority");
  certificates.Sign("server", "authority");
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs = {{*ReadImageFile(certificates.Key("server")),
                             *ReadImageFile(certificates.Certificate("server"))}};
  const FakeServer server(
      [](grpc::ServerContext& context, auto& request, auto& response) {
        const auto& metadata = context.client_metadata();
        const auto token = metadata.find("authorization");
        if (token == metadata.end() || token->second != "Bearer secret") {
          return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "who?");
        }
        return Answer(context, request, response);
      },
      grpc::SslServerCredentials(tls));
  ASSERT_TRUE(WriteFile(folder_ / "token", "secret\n").ok());
  const std::string authority = certificates.Certificate("authority");
  const std::string token = (folder_ / "token").string();
  EXPECT_EQ(Load(server, {"--requests", "9", "--tls-ca", authority, "--token-file", token}),
            kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("9 OK\n"));
  EXPECT_EQ(Load(server, {"--requests", "3", "--tls-ca", authority}), kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("no request was answered: UNAUTHENTICATED: who?"));
  EXPECT_EQ(Load(server, {"--requests", "3"}), kExitUnreachable);
}

TEST_F(LoadCommandTest, Csv_File_ALineARequestAndItsHeader) {
  const std::string csv = (folder_ / "requests.csv").string();
  EXPECT_EQ(Load(server_, {"--requests", "7", "--csv", csv}), kExitOk);
  const std::string text = *ReadImageFile(csv);
  EXPECT_THAT(text, StartsWith("due_seconds,sent_seconds,answered_seconds,deadline_seconds,code"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 8);
  EXPECT_EQ(Load(server_, {"--requests", "7", "--csv", (folder_ / "no" / "folder").string()}),
            kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("cannot be written"));
}

TEST_F(LoadCommandTest, Interrupted_InTheMiddle_ResultSoFarAndExit130) {
  std::atomic<int> calls = 0;
  const FakeServer server([&](auto& context, auto& request, auto& response) {
    if (++calls == 10) interrupted_ = true;
    absl::SleepFor(absl::Milliseconds(5));
    return Answer(context, request, response);
  });
  EXPECT_EQ(Load(server, {"--duration", "1000", "--json"}), kExitInterrupted);
  const auto document = Document();
  EXPECT_EQ(document["interrupted"], true);
  EXPECT_GE(document["codes"]["OK"], 10);
  EXPECT_LT(document["window_seconds"], 500);
}

TEST_F(LoadCommandTest, Unreachable_NoServer_OneLineAndExit3) {
  std::string address;
  { address = FakeServer(Answer).address(); }
  EXPECT_EQ(Run({"load", "--server", address, folder_.string()}), kExitUnreachable);
  EXPECT_THAT(err_.str(), StartsWith("objectdino: " + address + ": UNAVAILABLE: "));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(LoadCommandTest, Arguments_Wrong_OneLineThatNamesThemAndExit2) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"--concurrency", {"--concurrency", "2", "--rate", "3"}},
      {"--duration", {"--duration", "2", "--requests", "3"}},
      {"--deadline", {"--deadline", "2", "--deadline-range", "3:4"}},
      {"--input-size", {"--sizes", "224", "--input-size", "448"}},
      {"--concurrency", {"--concurrency", "0"}},
      {"--concurrency", {"--concurrency", "-1"}},
      {"--rate", {"--rate", "0"}},
      {"--rate", {"--rate", "nan"}},
      {"--rate", {"--rate", "fast"}},
      {"--requests", {"--requests", "0"}},
      {"--deadline", {"--deadline", "0"}},
      {"MIN:MAX", {"--deadline-range", "5-10"}},
      {"MIN:MAX", {"--cancel-after", "a:b"}},
      {"--bad-share", {"--bad-share", "2"}},
      {"--seed", {"--seed", "-1"}},
      {"address", {"--server", ""}},
      {"none.jpg", {"none.jpg"}},
      {"none", {"--token-file", "none"}},
      {"come together", {"--tls-cert", "a.pem"}},
  };
  for (const auto& [name, flags] : cases) {
    std::vector<std::string> arguments = {"load", folder_.string()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    EXPECT_EQ(Run(arguments), kExitUsage) << name;
    EXPECT_THAT(err_.str(), AllOf(StartsWith("objectdino: "), HasSubstr(name)));
    const std::string message = err_.str();
    EXPECT_EQ(message.find('\n'), message.size() - 1) << message;
    EXPECT_EQ(out_.str(), "");
  }
  EXPECT_EQ(Run({"load"}), kExitUsage);
  EXPECT_EQ(server_.calls(), 0);
}

}  // namespace
}  // namespace objectdino
