// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/security.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "client/cpp/grounding_client.h"
#include "client/cpp/image_files.h"
#include "tests/client/certificates.h"
#include "tests/client/fake_server.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using ::testing::_;
using testing::FakeServer;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

class SecurityTest : public ::testing::Test {
 protected:
  SecurityTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("security_" +
                 std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()))),
        certificates_(folder_) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~SecurityTest() override { fs::remove_all(folder_); }

  std::string AddFile(const std::string& name, const std::string& bytes) {
    EXPECT_THAT(WriteFile(folder_ / name, bytes), IsOk());
    return (folder_ / name).string();
  }

  // Answers whoever sends this token; empty = anybody.
  static FakeServer::Answer Expect(const std::string& authorization) {
    return [=](grpc::ServerContext& context, auto&, auto&) {
      const auto& metadata = context.client_metadata();
      const auto sent = metadata.find("authorization");
      const std::string token =
          sent == metadata.end() ? "" : std::string(sent->second.data(), sent->second.size());
      return token == authorization ? grpc::Status::OK
                                    : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, token);
    };
  }

  std::shared_ptr<grpc::ServerCredentials> ServerCredentials(bool asks_for_certificate) const {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs = {{*ReadImageFile(certificates_.Key("server")),
                                   *ReadImageFile(certificates_.Certificate("server"))}};
    if (asks_for_certificate) {
      options.pem_root_certs = *ReadImageFile(certificates_.Certificate("authority"));
      options.client_certificate_request =
          GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    }
    return grpc::SslServerCredentials(options);
  }

  static absl::Status Call(const std::string& address, const SecurityOptions& security) {
    ClientOptions options;
    options.timeout = absl::Seconds(20);
    options.first_pause = absl::Milliseconds(1);
    options.security = security;
    const auto client = GroundingClient::Connect(address, options);
    if (!client.ok()) return client.status();
    return (*client)->Ground("x", {}).status();
  }

  fs::path folder_;
  testing::Certificates certificates_;
};

TEST_F(SecurityTest, IsLoopback_Addresses_OnlyThoseThatAreCertain) {
  for (const char* address : {"127.0.0.1:50051", "127.1.2.3:1", "localhost:1", "localhost",
                              "[::1]:1", "unix:/run/x", "dns:///localhost:1", "ipv4:127.0.0.1:1"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"127.evil.example:1", "127.0.0.1.evil.example:1", "localhost.evil.example:1", "10.0.0.1:1",
        "0.0.0.0:1", "[::]:1", "[::1", "[fe80::1]:1", "host:1", "", "ipv4:127.0.0.1:1,10.0.0.1:1",
        "dns://evil.example/localhost:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST_F(SecurityTest, MakeSecurity_Token_BearerWithoutTheLineEnd) {
  SecurityOptions options;
  options.token_file = AddFile("token", " secret-1\r\n");
  const auto security = MakeSecurity("127.0.0.1:1", options);
  ASSERT_THAT(security, IsOk());
  EXPECT_EQ(security->authorization, "Bearer secret-1");
}

TEST_F(SecurityTest, MakeSecurity_TokenToAnotherMachine_OnlyWithTls) {
  certificates_.MakeAuthority("authority");
  SecurityOptions options;
  options.token_file = AddFile("token", "secret");
  EXPECT_THAT(MakeSecurity("10.0.0.1:1", options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("plain text")));
  options.ca_file = certificates_.Certificate("authority");
  EXPECT_THAT(MakeSecurity("10.0.0.1:1", options), IsOk());
}

TEST_F(SecurityTest, MakeSecurity_FilesThatWillNotDo_InvalidArgumentNamesThem) {
  const std::string none = (folder_ / "none").string();
  const std::string text = AddFile("text", "no certificate");
  const std::string empty = AddFile("empty", " \n");
  const std::string two_words = AddFile("two_words", "two words");
  const std::vector<std::pair<SecurityOptions, std::string>> cases = {
      {{.ca_file = none, .cert_file = "", .key_file = "", .token_file = ""}, none},
      {{.ca_file = text, .cert_file = "", .key_file = "", .token_file = ""}, text},
      {{.ca_file = "", .cert_file = "", .key_file = "", .token_file = none}, none},
      {{.ca_file = "", .cert_file = "", .key_file = "", .token_file = empty}, empty},
      {{.ca_file = "", .cert_file = "", .key_file = "", .token_file = two_words}, two_words},
      {{.ca_file = "", .cert_file = "a", .key_file = "", .token_file = ""}, "come together"},
      {{.ca_file = "", .cert_file = "", .key_file = "a", .token_file = ""}, "come together"},
      {{.ca_file = "", .cert_file = "a", .key_file = "b", .token_file = ""}, "needs TLS"},
  };
  for (const auto& [options, message] : cases) {
    EXPECT_THAT(MakeSecurity("127.0.0.1:1", options),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)));
  }
}

TEST_F(SecurityTest, Call_PlainTextWithToken_TokenArrives) {
  const FakeServer server(Expect("Bearer secret"));
  SecurityOptions options;
  options.token_file = AddFile("token", "secret\n");
  EXPECT_THAT(Call(server.address(), options), IsOk());
  EXPECT_THAT(Call(server.address(), {}), StatusIs(absl::StatusCode::kUnauthenticated, ""));
}

TEST_F(SecurityTest, Call_Tls_OnlyWithTheRightAuthority) {
  certificates_.MakeAuthority("authority");
  certificates_.MakeAuthority("stranger");
  certificates_.Sign("server", "authority");
  const FakeServer server(Expect("Bearer secret"), ServerCredentials(false));
  SecurityOptions options;
  options.token_file = AddFile("token", "secret");
  options.ca_file = certificates_.Certificate("authority");
  EXPECT_THAT(Call(server.address(), options), IsOk());
  options.ca_file = certificates_.Certificate("stranger");
  EXPECT_THAT(Call(server.address(), options), StatusIs(absl::StatusCode::kUnavailable, _));
  EXPECT_THAT(Call(server.address(), {}), StatusIs(absl::StatusCode::kUnavailable, _));
  EXPECT_EQ(server.calls(), 1);
}

TEST_F(SecurityTest, Call_ServerAsksForCertificate_OnlyWithOne) {
  certificates_.MakeAuthority("authority");
  certificates_.Sign("server", "authority");
  certificates_.Sign("client", "authority");
  const FakeServer server(Expect(""), ServerCredentials(true));
  SecurityOptions options;
  options.ca_file = certificates_.Certificate("authority");
  EXPECT_THAT(Call(server.address(), options), StatusIs(absl::StatusCode::kUnavailable, _));
  options.cert_file = certificates_.Certificate("client");
  options.key_file = certificates_.Key("client");
  EXPECT_THAT(Call(server.address(), options), IsOk());
  EXPECT_EQ(server.calls(), 1);
}

}  // namespace
}  // namespace objectdino
