// SPDX-License-Identifier: Apache-2.0
#include "server/authenticator.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/log_capture.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::Not;
using testing::StatusIs;

constexpr char kFirst[] = "0123456789abcdef";  // the shortest that there is
constexpr char kSecond[] = "second-token.with+other/characters==";

TEST(ParseTokens, BlankLinesAndComments_AreNoTokens) {
  const auto tokens = ParseTokens(absl::StrCat("# for the batch jobs\r\n", kFirst, "\r\n\n  ",
                                               kSecond, "  \n# ", kFirst, "x\n"));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->size(), 2U);
}

TEST(ParseTokens, NoToken_IsAnError) {
  for (const char* text : {"", "\n\n", "# nothing yet\n"}) {
    EXPECT_THAT(ParseTokens(text),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("holds no token")));
  }
}

TEST(ParseTokens, BadToken_IsNamedByItsLineOnly) {
  for (const std::string& token :
       {std::string("fifteen-letters"), std::string("with a space in it all"),
        std::string("caf\xc3\xa9-caf\xc3\xa9-caf\xc3\xa9"), std::string(4097, 'x')}) {
    EXPECT_THAT(ParseTokens(absl::StrCat(kFirst, "\n", token, "\n")),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("line 2"), Not(HasSubstr(token)))));
  }
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() { Write(absl::StrCat(kFirst, "\n", kSecond, "\n")); }
  ~AuthenticatorTest() override { std::filesystem::remove(path_); }

  void Write(const std::string& text) {
    std::ofstream(path_) << text;
    std::filesystem::permissions(
        path_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    now_ += absl::ToInt64Nanoseconds(FileWatch::kInterval);
  }

  std::unique_ptr<Authenticator> Make() {
    return Authenticator::FromFile(path_, log_, [this] { return absl::FromUnixNanos(now_); })
        .value();
  }

  // What a caller with these values of authorization is told.
  static absl::Status Call(Authenticator& authenticator, const std::vector<std::string>& values) {
    Authenticator::Metadata metadata;
    metadata.emplace("user-agent", "test");
    for (const std::string& value : values) metadata.emplace("authorization", value);
    return authenticator.Check(metadata);
  }
  static absl::Status CallWith(Authenticator& authenticator, const std::string& token) {
    return Call(authenticator, {absl::StrCat("Bearer ", token)});
  }

  int Count(const std::string& event) {
    int count = 0;
    for (const nlohmann::json& line : lines_->lines()) count += line["event"] == event ? 1 : 0;
    return count;
  }

  const std::string path_ =
      absl::StrCat(::testing::TempDir(), "tokens_",
                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::shared_ptr<testing::LogCapture> lines_ = std::make_shared<testing::LogCapture>();
  EventLog log_{lines_, "debug"};
  std::atomic<int64_t> now_ = 0;
};

TEST_F(AuthenticatorTest, EveryTokenOfTheFile_Passes) {
  const auto authenticator = Make();
  EXPECT_THAT(CallWith(*authenticator, kFirst), IsOk());
  EXPECT_THAT(CallWith(*authenticator, kSecond), IsOk());
  EXPECT_THAT(Call(*authenticator, {absl::StrCat("bearer  ", kFirst)}), IsOk());
}

TEST_F(AuthenticatorTest, AnythingElse_IsUnauthenticated) {
  const auto authenticator = Make();
  const std::vector<std::string> cases[] = {
      {},
      {""},
      {kFirst},
      {"Bearer"},
      {"Bearer "},
      {absl::StrCat("Basic ", kFirst)},
      {absl::StrCat("Bearer ", kFirst, "0")},
      {absl::StrCat("Bearer ", std::string(kFirst).substr(1))},
      {absl::StrCat("Bearer ", "0123456789ABCDEF")},
      {absl::StrCat("Bearer ", kFirst, " ", kSecond)},
      {absl::StrCat("Bearer ", kFirst), absl::StrCat("Bearer ", kFirst)}};
  for (const auto& values : cases) {
    EXPECT_THAT(Call(*authenticator, values),
                StatusIs(absl::StatusCode::kUnauthenticated, Not(HasSubstr(kFirst))))
        << ::testing::PrintToString(values);
  }
}

TEST_F(AuthenticatorTest, AcceptAll_AsksForNothing) {
  EXPECT_THAT(Call(*Authenticator::AcceptAll(), {}), IsOk());
}

TEST_F(AuthenticatorTest, Rotation_TakesNewTokensAndForgetsOldOnes) {
  const auto authenticator = Make();
  Write(absl::StrCat(kSecond, "\nthird-token-of-this-file\n"));
  EXPECT_THAT(CallWith(*authenticator, "third-token-of-this-file"), IsOk());
  EXPECT_THAT(CallWith(*authenticator, kSecond), IsOk());
  EXPECT_THAT(CallWith(*authenticator, kFirst),
              StatusIs(absl::StatusCode::kUnauthenticated, ::testing::_));
  EXPECT_EQ(Count("auth.reloaded"), 1);
}

TEST_F(AuthenticatorTest, BadRotation_KeepsWhatWasGoodAndSaysSoOnce) {
  const auto authenticator = Make();
  for (const char* text : {"", "short\n"}) {
    Write(text);
    EXPECT_THAT(CallWith(*authenticator, kFirst), IsOk());
    EXPECT_THAT(CallWith(*authenticator, kFirst), IsOk());
  }
  EXPECT_EQ(Count("auth.reload_failed"), 2);
  std::filesystem::remove(path_);
  now_ += absl::ToInt64Nanoseconds(FileWatch::kInterval);
  EXPECT_THAT(CallWith(*authenticator, kFirst), IsOk());
  EXPECT_EQ(Count("auth.reload_failed"), 3);
}

TEST_F(AuthenticatorTest, Log_NeverHoldsAToken) {
  const auto authenticator = Make();
  EXPECT_FALSE(CallWith(*authenticator, "a-token-that-is-wrong").ok());
  Write(absl::StrCat(kFirst, "\nshort\n"));
  EXPECT_THAT(CallWith(*authenticator, kSecond), IsOk());
  ASSERT_GE(lines_->lines().size(), 2U);
  for (const nlohmann::json& line : lines_->lines()) {
    EXPECT_THAT(line.dump(), AllOf(Not(HasSubstr(kFirst)), Not(HasSubstr(kSecond)),
                                   Not(HasSubstr("short")), Not(HasSubstr("wrong"))));
  }
}

TEST_F(AuthenticatorTest, BadFileAtTheStart_IsOneLineThatNamesIt) {
  Write("# none\n");
  EXPECT_THAT(Authenticator::FromFile(path_, log_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path_), HasSubstr("holds no token"))));
  EXPECT_THAT(Authenticator::FromFile("/does/not/exist", log_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/does/not/exist")));
}

TEST_F(AuthenticatorTest, FileForAll_IsWarnedAbout) {
  Make();
  EXPECT_EQ(Count("auth.tokens_readable_by_all"), 0);
  std::filesystem::permissions(path_, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  Make();
  EXPECT_EQ(Count("auth.tokens_readable_by_all"), 1);
}

TEST_F(AuthenticatorTest, ManyCallersDuringARotation_AllPassWithATokenThatStays) {
  const auto authenticator = Make();
  std::vector<std::thread> callers;
  std::atomic<int> passed = 0;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 500; ++k) passed += CallWith(*authenticator, kSecond).ok() ? 1 : 0;
    });
  }
  for (int k = 0; k < 20; ++k) {
    // Renamed into place, as one should: never half a file.
    std::ofstream(path_ + ".new") << kSecond << "\n# " << std::string(static_cast<size_t>(k), 'x');
    std::filesystem::rename(path_ + ".new", path_);
    now_ += absl::ToInt64Nanoseconds(FileWatch::kInterval);
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(passed, 4 * 500);
}

}  // namespace
}  // namespace objectdino
