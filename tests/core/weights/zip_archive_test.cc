// SPDX-License-Identifier: Apache-2.0
#include "core/weights/zip_archive.h"

#include <cstddef>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/weights/torch_files.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::LittleEndian;
using ::objectdino::testing::MakeZip;
using ::objectdino::testing::StatusIs;
using ::objectdino::testing::ZipOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

constexpr auto kBad = absl::StatusCode::kFailedPrecondition;
using Members = std::vector<std::pair<std::string, std::string>>;
const Members& TwoMembers() {
  static const auto& members = *new Members{{"a/one", "first"}, {"a/two", ""}};
  return members;
}

std::string WithBytes(std::string bytes, size_t place, const std::string& change) {
  return bytes.replace(place, change.size(), change);
}

TEST(ZipArchive, MembersAreRead) {
  for (const bool zip64 : {false, true}) {
    for (const int padding : {0, 5}) {
      const std::string bytes = MakeZip(TwoMembers(), {.padding = padding, .zip64 = zip64});
      EXPECT_TRUE(IsZipArchive(bytes));
      const auto members = ParseZipArchive(bytes);
      ASSERT_THAT(members, IsOk());
      EXPECT_THAT(*members, ElementsAre(Pair("a/one", "first"), Pair("a/two", "")));
    }
  }
}

TEST(ZipArchive, CommentIsPassedOver) {
  std::string bytes = MakeZip(TwoMembers());
  bytes = WithBytes(bytes, bytes.size() - 2, LittleEndian(300, 2)) + std::string(300, 'c');
  EXPECT_THAT(ParseZipArchive(bytes), IsOk());
}

TEST(ZipArchive, EmptyArchiveHasNoMembers) {
  const auto members = ParseZipArchive(MakeZip({}));
  ASSERT_THAT(members, IsOk());
  EXPECT_THAT(*members, IsEmpty());
}

TEST(ZipArchive, CompressedAndEncryptedMembersAreRefused) {
  EXPECT_THAT(ParseZipArchive(MakeZip(TwoMembers(), {.method = 8})),
              StatusIs(kBad, HasSubstr("'a/one' is compressed")));
  EXPECT_THAT(ParseZipArchive(MakeZip(TwoMembers(), {.flags = 1})),
              StatusIs(kBad, HasSubstr("'a/one' is encrypted")));
}

TEST(ZipArchive, TwoMembersOfOneNameAreRefused) {
  EXPECT_THAT(ParseZipArchive(MakeZip({{"a", "1"}, {"a", "2"}})),
              StatusIs(kBad, HasSubstr("'a' appears twice")));
}

TEST(ZipArchive, EveryTruncationIsRefused) {
  for (const bool zip64 : {false, true}) {
    const std::string bytes = MakeZip(TwoMembers(), {.zip64 = zip64});
    for (size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_THAT(ParseZipArchive(absl::string_view(bytes).substr(0, length)), Not(IsOk()))
          << length;
    }
  }
}

TEST(ZipArchive, PlacesBeyondTheFileAreRefused) {
  const std::string bytes = MakeZip({{"name", "content"}});
  const size_t end = bytes.size() - 22;
  const size_t entry = bytes.find("PK\1\2");
  const std::string far = LittleEndian(0xfffffff0, 4);
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, end + 16, far)),
              StatusIs(kBad, HasSubstr("the directory lies beyond")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, end + 10, LittleEndian(9, 2))),
              StatusIs(kBad, HasSubstr("the directory is malformed")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, entry + 42, far)),
              StatusIs(kBad, HasSubstr("has no local header")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, entry + 20, far + far)),
              StatusIs(kBad, HasSubstr("reaches beyond the file")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, entry + 20, far)),
              StatusIs(kBad, HasSubstr("has two sizes")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, entry + 28, "\xff\xff")),
              StatusIs(kBad, HasSubstr("the directory is cut short")));
}

TEST(ZipArchive, PlacesOf64BitsBeyondTheFileAreRefused) {
  const std::string bytes = MakeZip({{"name", "content"}}, {.zip64 = true});
  const std::string far = LittleEndian(~uint64_t{0} - 7, 8);
  const size_t end64 = bytes.find("PK\6\6");
  const size_t extra = bytes.find("PK\1\2") + 46 + 4 + 8;  // the fields of the member
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, end64 + 48, far)),
              StatusIs(kBad, HasSubstr("lies beyond")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, end64 + 32, far)),
              StatusIs(kBad, HasSubstr("too many")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, bytes.find("PK\6\7") + 8, far)),
              StatusIs(kBad, HasSubstr("no zip64 end record")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, extra, far + far)),
              StatusIs(kBad, HasSubstr("reaches beyond")));
  EXPECT_THAT(ParseZipArchive(WithBytes(bytes, extra + 16, far)),
              StatusIs(kBad, HasSubstr("no local header")));
}

}  // namespace
}  // namespace objectdino
