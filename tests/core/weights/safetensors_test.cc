// SPDX-License-Identifier: Apache-2.0
#include "core/weights/safetensors.h"

#include <cstring>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/weights/model_folder.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::FloatTensor;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::MakeSafetensors;
using ::objectdino::testing::RawSafetensors;
using ::objectdino::testing::StatusIs;
using ::objectdino::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr auto kBad = absl::StatusCode::kFailedPrecondition;

// One tensor "w" of the given entry over `data`.
absl::Status ParseEntry(const std::string& entry, const std::string& data) {
  return ParseSafetensors(RawSafetensors("{\"w\":" + entry + "}", data)).status();
}

std::string Nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Safetensors, WellFormedFileIsRead) {
  const std::string bytes = MakeSafetensors(
      {{"a", FloatTensor({2, 1}, {1.5F, -2})}, {"b", {"BF16", {}, std::string("\x80\x3f", 2)}}});
  const auto table = ParseSafetensors(bytes);
  ASSERT_THAT(table, IsOk());
  ASSERT_EQ(table->tensors.size(), 2U);
  const TensorView& a = table->tensors.at("a");
  EXPECT_EQ(DescribeTensor(a), "[2, 1] F32");
  EXPECT_EQ(a.element_count(), 2);
  float second = 0;
  std::memcpy(&second, a.bytes.data() + 4, 4);
  EXPECT_EQ(second, -2);
  EXPECT_EQ(DescribeTensor(table->tensors.at("b")), "[] BF16");
}

TEST(Safetensors, MetadataAndTrailingSpacesAreRead) {
  const auto table =
      ParseSafetensors(RawSafetensors(R"({"__metadata__":{"format":"pt","empty":""}}   )", ""));
  ASSERT_THAT(table, IsOk());
  EXPECT_THAT(table->tensors, IsEmpty());
  EXPECT_THAT(table->metadata,
              ElementsAre(std::pair<const std::string, std::string>("empty", ""),
                          std::pair<const std::string, std::string>("format", "pt")));
}

TEST(Safetensors, ZeroSizeTensorNeedsNoBytes) {
  EXPECT_THAT(ParseEntry(R"({"dtype":"F32","shape":[3,0],"data_offsets":[0,0]})", ""), IsOk());
}

TEST(Safetensors, FileShorterThanTheLengthIsRefused) {
  EXPECT_THAT(ParseSafetensors("1234567"), StatusIs(kBad, HasSubstr("shorter")));
}

TEST(Safetensors, HeaderLongerThanTheFileIsRefused) {
  const std::string bytes = RawSafetensors("{}", "");
  EXPECT_THAT(ParseSafetensors(absl::string_view(bytes).substr(0, 9)),
              StatusIs(kBad, HasSubstr("header of 2 bytes in a file of 9")));
}

TEST(Safetensors, HeaderAboveTheLimitIsRefused) {
  EXPECT_THAT(ParseSafetensors(std::string(8, '\xff') + "{}"), StatusIs(kBad, HasSubstr("limit")));
}

TEST(Safetensors, HeaderThatIsNoJsonObjectIsRefused) {
  for (const std::string header : {"", "[]", "1", " {}", "\xef\xbb\xbf{}"}) {
    EXPECT_THAT(ParseSafetensors(RawSafetensors(header, "")),
                StatusIs(kBad, HasSubstr("not a JSON object")))
        << header;
  }
  EXPECT_THAT(ParseSafetensors(RawSafetensors(std::string("{}\0x", 4), "")),
              StatusIs(kBad, HasSubstr("not a JSON object")));
}

TEST(Safetensors, InvalidJsonIsRefused) {
  for (const std::string header : {"{", "{\"a\":", "{}{}", "{\"a\xff\":{}}", "{\"a\" 1}"}) {
    EXPECT_THAT(ParseSafetensors(RawSafetensors(header, "")),
                StatusIs(kBad, HasSubstr("not valid JSON")))
        << header;
  }
}

TEST(Safetensors, DeepNestingIsRefused) {
  EXPECT_THAT(ParseEntry(Nested(100000), ""), StatusIs(kBad, HasSubstr("unexpected an array")));
  EXPECT_THAT(ParseEntry(R"({"shape":)" + Nested(100000) + "}", ""),
              StatusIs(kBad, HasSubstr("unexpected an array")));
  EXPECT_THAT(ParseEntry(R"({"dtype":{"a":{}}})", ""), StatusIs(kBad, HasSubstr("an object")));
}

TEST(Safetensors, DuplicateNameIsRefused) {
  const std::string entry = R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(ParseSafetensors(RawSafetensors("{" + entry + "," + entry + "}", "x")),
              StatusIs(kBad, HasSubstr("'w': duplicate name")));
}

TEST(Safetensors, DuplicateKeyIsRefused) {
  EXPECT_THAT(ParseEntry(R"({"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]})", "x"),
              StatusIs(kBad, HasSubstr("duplicate key 'dtype'")));
  EXPECT_THAT(ParseEntry(R"({"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]})", "x"),
              StatusIs(kBad, HasSubstr("duplicate key 'shape'")));
  EXPECT_THAT(ParseSafetensors(RawSafetensors(R"({"__metadata__":{},"__metadata__":{}})", "")),
              StatusIs(kBad, HasSubstr("duplicate key")));
  EXPECT_THAT(ParseSafetensors(RawSafetensors(R"({"__metadata__":{"a":"","a":""}})", "")),
              StatusIs(kBad, HasSubstr("duplicate metadata key")));
}

TEST(Safetensors, UnknownDtypeIsRefused) {
  EXPECT_THAT(ParseEntry(R"({"dtype":"F31","shape":[1],"data_offsets":[0,4]})", "1234"),
              StatusIs(kBad, HasSubstr("'w': unknown dtype 'F31'")));
}

TEST(Safetensors, MissingKeyIsRefused) {
  EXPECT_THAT(ParseEntry("{}", ""), StatusIs(kBad, HasSubstr("'dtype' is missing")));
  EXPECT_THAT(ParseEntry(R"({"dtype":"U8"})", ""), StatusIs(kBad, HasSubstr("'shape' is missing")));
  EXPECT_THAT(ParseEntry(R"({"dtype":"U8","shape":[]})", ""),
              StatusIs(kBad, HasSubstr("'data_offsets' is missing")));
}

TEST(Safetensors, ValuesOfTheWrongKindAreRefused) {
  for (const std::string shape : {"-1", "[-1]", "[1.0]", "[\"1\"]", "[true]", "[null]", "{}",
                                  "[18446744073709551615]", "[1e30]"}) {
    EXPECT_THAT(ParseEntry(R"({"dtype":"U8","data_offsets":[0,1],"shape":)" + shape + "}", "x"),
                StatusIs(kBad, HasSubstr("'w': unexpected")))
        << shape;
  }
  EXPECT_THAT(ParseEntry(R"({"other":1})", ""), StatusIs(kBad, HasSubstr("at key 'other'")));
  EXPECT_THAT(ParseEntry("7", ""), StatusIs(kBad, HasSubstr("unexpected a number")));
  EXPECT_THAT(ParseSafetensors(RawSafetensors(R"({"__metadata__":{"a":1}})", "")),
              StatusIs(kBad, HasSubstr("unexpected a number")));
}

TEST(Safetensors, ShapeOfTooManyDimensionsIsRefused) {
  const auto shape_of = [](int sides) {
    std::string shape = "1";
    for (int i = 1; i < sides; ++i) shape += ",1";
    return R"({"dtype":"U8","data_offsets":[0,1],"shape":[)" + shape + "]}";
  };
  EXPECT_THAT(ParseEntry(shape_of(64), "x"), IsOk());
  EXPECT_THAT(ParseEntry(shape_of(65), "x"), StatusIs(kBad, HasSubstr("more dimensions")));
}

TEST(Safetensors, OffsetsThatAreNoRangeAreRefused) {
  EXPECT_THAT(ParseEntry(R"({"dtype":"U8","shape":[1],"data_offsets":[0]})", "x"),
              StatusIs(kBad, HasSubstr("two numbers")));
  EXPECT_THAT(ParseEntry(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})", "x"),
              StatusIs(kBad, HasSubstr("wrong order")));
}

TEST(Safetensors, TruncatedDataIsRefused) {
  std::string bytes = MakeSafetensors({{"layer.weight", FloatTensor({2}, {1, 2})}});
  bytes.pop_back();
  EXPECT_THAT(ParseSafetensors(bytes),
              StatusIs(kBad, AllOf(HasSubstr("'layer.weight'"), HasSubstr("truncated"))));
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string bytes = MakeSafetensors({{"a", FloatTensor({1}, {1})}});
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(ParseSafetensors(absl::string_view(bytes).substr(0, length)), Not(IsOk()))
        << length;
  }
}

TEST(Safetensors, ShapeThatDisagreesWithTheRangeIsRefused) {
  EXPECT_THAT(ParseEntry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", "1234"),
              StatusIs(kBad, HasSubstr("need 8 bytes, data_offsets span 4")));
}

TEST(Safetensors, ShapeThatOverflowsIsRefused) {
  // 2^62 * 4 bytes is 2^64: zero when computed modulo 2^64.
  EXPECT_THAT(
      ParseEntry(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})", ""),
      StatusIs(kBad, HasSubstr("overflows")));
  EXPECT_THAT(
      ParseEntry(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})", ""),
      StatusIs(kBad, HasSubstr("overflows")));
}

absl::Status ParseTwo(const std::string& first_range, const std::string& second_range,
                      const std::string& data) {
  const std::string entry = R"({"dtype":"U8","shape":[2],"data_offsets":)";
  return ParseSafetensors(
             RawSafetensors(
                 "{\"a\":" + entry + first_range + "},\"b\":" + entry + second_range + "}}", data))
      .status();
}

TEST(Safetensors, RangesInAnyOrderAreRead) {
  EXPECT_THAT(ParseTwo("[2,4]", "[0,2]", "1234"), IsOk());
}

TEST(Safetensors, OverlapIsRefused) {
  EXPECT_THAT(ParseTwo("[0,2]", "[1,3]", "123"),
              StatusIs(kBad, HasSubstr("'b': its bytes overlap")));
}

TEST(Safetensors, HoleIsRefused) {
  EXPECT_THAT(ParseTwo("[0,2]", "[3,5]", "12345"),
              StatusIs(kBad, HasSubstr("'b': 1 unused bytes before it")));
}

TEST(Safetensors, BytesAfterTheLastTensorAreRefused) {
  EXPECT_THAT(ParseTwo("[0,2]", "[2,4]", "12345"),
              StatusIs(kBad, HasSubstr("1 bytes after the last tensor")));
}

TEST(Safetensors, HostileNameIsEscapedInTheMessage) {
  EXPECT_THAT(ParseSafetensors(RawSafetensors(R"({"\u001b[31m":1})", "")),
              StatusIs(kBad, HasSubstr("'\\033[31m'")));
}

TEST(SafetensorsFile, MissingFileIsNotFound) {
  const TempFolder folder;
  const std::string path = folder.path() + "/none.safetensors";
  EXPECT_THAT(SafetensorsFile::Open(path),
              StatusIs(absl::StatusCode::kNotFound, StartsWith(path + ": ")));
}

TEST(SafetensorsFile, EmptyFileAndFolderAreRefused) {
  const TempFolder folder;
  folder.Write("empty", "");
  EXPECT_THAT(SafetensorsFile::Open(folder.path() + "/empty"), StatusIs(kBad, HasSubstr("empty")));
  EXPECT_THAT(SafetensorsFile::Open(folder.path()),
              StatusIs(kBad, HasSubstr("not a regular file")));
}

TEST(SafetensorsFile, MalformedFileIsNamed) {
  const TempFolder folder;
  folder.Write("bad", "12345678901");
  EXPECT_THAT(SafetensorsFile::Open(folder.path() + "/bad"),
              StatusIs(kBad, StartsWith(folder.path() + "/bad: ")));
}

TEST(SafetensorsFile, FileIsRead) {
  const TempFolder folder;
  const std::string bytes = MakeSafetensors({{"a", {"U8", {3}, "xyz"}}});
  folder.Write("good", bytes);
  const auto file = SafetensorsFile::Open(folder.path() + "/good");
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->bytes(), bytes);
  EXPECT_THAT((*file)->table().tensors.at("a").bytes, ElementsAre('x', 'y', 'z'));
}

}  // namespace
}  // namespace objectdino
