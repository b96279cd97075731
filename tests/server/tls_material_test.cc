// SPDX-License-Identifier: Apache-2.0
#include "server/tls_material.h"

#include <filesystem>
#include <fstream>
#include <openssl/err.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/certificates.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Identity;
using testing::IsOk;
using testing::MakeIdentity;
using ::testing::Not;
using testing::StatusIs;

const absl::Time kNotAfter = absl::FromUnixSeconds(4'000'000'000);

class TlsMaterialTest : public ::testing::Test {
 protected:
  TlsMaterialTest() {
    std::filesystem::create_directories(folder_);
    Write("cert", identity_.certificate);
    Write("key", identity_.key);
    Write("ca", other_.certificate);
  }
  ~TlsMaterialTest() override {
    EXPECT_EQ(ERR_peek_error(), 0U) << "left in OpenSSL's queue";
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return folder_ / name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }
  absl::StatusOr<TlsMaterial> Load() const {
    return LoadTlsMaterial({Path("cert"), Path("key"), Path("ca")});
  }
  // Whether loading fails with one line that names the flag and the file.
  void ExpectRefused(const char* flag, const std::string& name, const char* why) const {
    EXPECT_THAT(Load().status(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          AllOf(HasSubstr(absl::StrCat(flag, " ", Path(name))),
                                                HasSubstr(why), Not(HasSubstr("\n")))));
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      absl::StrCat("tls_", ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const Identity identity_ = MakeIdentity(kNotAfter);
  const Identity other_ = MakeIdentity(kNotAfter);
};

TEST_F(TlsMaterialTest, FilesThatFit_AreLoaded) {
  const auto material = Load();
  ASSERT_THAT(material, IsOk());
  EXPECT_EQ(material->certificate, identity_.certificate);
  EXPECT_EQ(material->key, identity_.key);
  EXPECT_EQ(material->client_ca, other_.certificate);
  EXPECT_EQ(material->not_after, kNotAfter);
}

TEST_F(TlsMaterialTest, WithoutClientCa_ThereIsNone) {
  const auto material = LoadTlsMaterial({Path("cert"), Path("key"), ""});
  ASSERT_THAT(material, IsOk());
  EXPECT_EQ(material->client_ca, "");
}

TEST_F(TlsMaterialTest, ChainAndBundle_AreTaken) {
  Write("cert", identity_.certificate + other_.certificate);
  Write("ca", "# roots\n" + other_.certificate + "\n" + identity_.certificate);
  EXPECT_THAT(Load(), IsOk());
}

TEST_F(TlsMaterialTest, ExpiredCertificate_IsLoadedWithItsTime) {
  const absl::Time past = absl::FromUnixSeconds(1'000'000'000);
  const Identity expired = MakeIdentity(past);
  Write("cert", expired.certificate);
  Write("key", expired.key);
  const auto material = Load();
  ASSERT_THAT(material, IsOk());
  EXPECT_EQ(material->not_after, past);
}

TEST_F(TlsMaterialTest, KeyOfAnotherCertificate_IsRefused) {
  Write("key", other_.key);
  ExpectRefused("--tls-key", "key", "is not the key of --tls-cert");
}

TEST_F(TlsMaterialTest, ChainInTheWrongOrder_IsRefused) {
  Write("cert", other_.certificate + identity_.certificate);
  ExpectRefused("--tls-key", "key", "is not the key of --tls-cert");
}

TEST_F(TlsMaterialTest, KeyWithAPassword_IsRefusedWithoutAsking) {
  Write("key", identity_.encrypted_key);
  ExpectRefused("--tls-key", "key", "without a password");
}

TEST_F(TlsMaterialTest, MissingEmptyOrGarbled_IsRefusedByName) {
  const std::pair<const char*, const char*> files[] = {
      {"--tls-cert", "cert"}, {"--tls-key", "key"}, {"--tls-client-ca", "ca"}};
  for (const auto& [flag, name] : files) {
    std::ifstream file(Path(name));
    const std::string good((std::istreambuf_iterator<char>(file)), {});
    std::filesystem::remove(Path(name));
    ExpectRefused(flag, name, "cannot be read");
    Write(name, " \n");
    ExpectRefused(flag, name, "is empty");
    Write(name, "not PEM\n");
    ExpectRefused(flag, name, "holds no PEM");
    Write(name, good.substr(0, good.size() / 2));
    ExpectRefused(flag, name, "holds no PEM");
    Write(name, good);
  }
  EXPECT_THAT(Load(), IsOk());
}

TEST_F(TlsMaterialTest, BrokenSecondCertificate_IsRefused) {
  Write("cert", identity_.certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n");
  ExpectRefused("--tls-cert", "cert", "holds no PEM certificates");
}

}  // namespace
}  // namespace objectdino
