// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

TEST(Config, Resolve_SharesTheCoresOut) {
  struct Case {
    int lanes, threads, cores, expected;
  };
  for (const Case& c : {Case{0, 1, 8, 8}, Case{0, 3, 8, 2}, Case{0, 9, 8, 1}, Case{5, 3, 8, 5}}) {
    ServerConfig config;
    config.lanes = c.lanes;
    config.threads = c.threads;
    config.Resolve(c.cores);
    EXPECT_EQ(config.lanes, c.expected) << c.lanes << " " << c.threads << " " << c.cores;
    EXPECT_EQ(config.decode_threads, c.expected);
    EXPECT_EQ(config.post_threads, c.expected);
  }
}

TEST(Config, Resolve_AGpuHasFewLanes) {
  for (const auto& [cores, lanes] : {std::pair(16, 4), std::pair(2, 2)}) {
    ServerConfig config;
    config.device = "cuda";
    config.Resolve(cores);
    EXPECT_EQ(config.lanes, lanes);
  }
}

TEST(Config, Resolve_KeepsWhatIsSet) {
  ServerConfig config;
  config.decode_threads = 3;
  config.post_threads = 4;
  config.Resolve(8);
  EXPECT_EQ(config.decode_threads, 3);
  EXPECT_EQ(config.post_threads, 4);
}

TEST(Config, Resolve_ChoosesTheBatchByTheDevice) {
  for (const auto& [device, batch] : {std::pair("cpu", 1), std::pair("cuda:0", 8)}) {
    ServerConfig config;
    config.device = device;
    config.Resolve(1);
    EXPECT_EQ(config.batch.max_images, batch) << device;
  }
}

TEST(Config, Defaults_AreValid) { EXPECT_THAT(ServerConfig().Validate(), IsOk()); }

ServerConfig Listening(const std::string& grpc, const std::string& metrics) {
  ServerConfig config;
  config.listen = grpc;
  config.metrics_listen = metrics;
  return config;
}

TEST(Config, PlainTextForOtherMachines_NeedsTheFlag) {
  for (ServerConfig config :
       {Listening("0.0.0.0:1", "none"), Listening("[::]:1", "none"),
        Listening("127.0.0.1:1", "0.0.0.0:1"), Listening("127.0.0.1:1", "10.0.0.1:1")}) {
    EXPECT_THAT(config.Validate(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--allow-non-loopback")))
        << config.listen << " " << config.metrics_listen;
    config.allow_non_loopback = true;
    EXPECT_THAT(config.Validate(), IsOk());
  }
}

TEST(Config, Tls_OpensGrpcButNotMetrics) {
  ServerConfig config = Listening("0.0.0.0:1", "127.0.0.1:2");
  config.tls = {"cert", "key", ""};
  EXPECT_THAT(config.Validate(), IsOk());
  config.metrics_listen = "0.0.0.0:2";
  EXPECT_THAT(config.Validate(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--metrics-listen")));
}

TEST(Config, Token_DoesNotOpenPlainText) {
  ServerConfig config = Listening("0.0.0.0:1", "none");
  config.token_file = "tokens";
  EXPECT_FALSE(config.Validate().ok());
}

TEST(Config, HalfOfTls_IsRefused) {
  for (const TlsFiles& tls : {TlsFiles{"cert", "", ""}, TlsFiles{"", "key", ""},
                              TlsFiles{"", "", "ca"}, TlsFiles{"", "key", "ca"}}) {
    ServerConfig config;
    config.tls = tls;
    EXPECT_THAT(config.Validate(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--tls-cert")))
        << tls.certificate << "," << tls.key << "," << tls.client_ca;
  }
}

TEST(Config, LimitsWithoutRoomForARequest_AreRefused) {
  ServerConfig config;
  config.limits.max_request_bytes = int64_t{100} << 20;
  EXPECT_THAT(config.Validate(), IsOk());
  config.connections.memory_mb = 199;
  EXPECT_THAT(config.Validate(), StatusIs(absl::StatusCode::kInvalidArgument,
                                          HasSubstr("--max-connections-memory-mb 199")));
  config.connections.memory_mb = 200;
  config.limits.max_inflight_bytes = int64_t{99} << 20;
  EXPECT_THAT(config.Validate(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--max-inflight-mb 99")));
}

}  // namespace
}  // namespace objectdino
