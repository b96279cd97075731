// SPDX-License-Identifier: Apache-2.0
#include "server/config_file.h"

#include <map>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::StatusIs;

absl::StatusOr<std::vector<FileEntry>> Read(const std::string& text) {
  std::istringstream file(text);
  return ReadConfigFile(file);
}

std::map<std::string, std::string> ValuesOf(const std::string& text) {
  const auto entries = Read(text);
  EXPECT_TRUE(entries.ok()) << entries.status();
  std::map<std::string, std::string> values;
  for (const FileEntry& entry : entries.value_or(std::vector<FileEntry>())) {
    values[entry.key] = entry.value;
  }
  return values;
}

TEST(ConfigFile, EveryKindOfValue_IsAsAFlagWouldHaveIt) {
  EXPECT_EQ(ValuesOf(R"(# a comment

text = "with # sign, comma \"quotes\" and \\"   # and a comment behind
literal = 'C:\path'
number = 50_000_000
negative = -3
half = 0.5
yes = true
no = false
)"),
            (std::map<std::string, std::string>{{"text", "with # sign, comma \"quotes\" and \\"},
                                                {"literal", "C:\\path"},
                                                {"number", "50000000"},
                                                {"negative", "-3"},
                                                {"half", "0.5"},
                                                {"yes", "true"},
                                                {"no", "false"}}));
}

TEST(ConfigFile, Tables_ArePrefixes) {
  const std::map<std::string, std::string> expected = {{"tls-cert", "a"}, {"tls-client-ca", "b"}};
  EXPECT_EQ(ValuesOf("[tls]\ncert = 'a'\nclient-ca = 'b'\n"), expected);
  EXPECT_EQ(ValuesOf("tls = {cert = 'a', client-ca = 'b'}\n"), expected);
  EXPECT_EQ(ValuesOf("tls.cert = 'a'\ntls.client.ca = 'b'\n"), expected);
}

TEST(ConfigFile, Empty_HasNoEntries) { EXPECT_THAT(ValuesOf(""), IsEmpty()); }

TEST(ConfigFile, Entries_KnowTheirLines) {
  const auto entries = Read("\n# x\nlanes = 2\n");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ(entries->front().line, 3);
}

TEST(ConfigFile, NotToml_NamesTheLineInOneLine) {
  for (const char* text : {"a = 1\nlanes\n", "a = 1\nlanes = two\n", "a = 1\nb = \"open\n",
                           "a = 1\na = 2\n", "a = 1\n[tls\n", "a = 1\nb = 08\n"}) {
    EXPECT_THAT(Read(text), StatusIs(absl::StatusCode::kInvalidArgument,
                                     AllOf(HasSubstr("line "), ::testing::Not(HasSubstr("\n")))))
        << text;
  }
}

TEST(ConfigFile, ValueThatNoFlagHas_IsNamed) {
  for (const char* value : {"[1, 2]", "1979-05-27", "[{a = 1}]"}) {
    EXPECT_THAT(Read(std::string("\nlisten = ") + value + "\n"),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("line 2"), HasSubstr("'listen'"))))
        << value;
  }
}

}  // namespace
}  // namespace objectdino
