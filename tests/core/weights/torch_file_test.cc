// SPDX-License-Identifier: Apache-2.0
#include "core/weights/torch_file.h"

#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/weights/torch_files.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::Dictionary;
using ::objectdino::testing::Integer;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::MakeTorchFile;
using ::objectdino::testing::MakeZip;
using ::objectdino::testing::Name;
using ::objectdino::testing::PickledTensor;
using ::objectdino::testing::PickleOf;
using ::objectdino::testing::PickleTensor;
using ::objectdino::testing::StatusIs;
using ::objectdino::testing::Text;
using ::objectdino::testing::Tuple;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr auto kBad = absl::StatusCode::kFailedPrecondition;

// One tensor "w" over a storage of twelve bytes.
absl::StatusOr<TensorView> ReadOne(const PickledTensor& tensor) {
  static std::string bytes;
  bytes = MakeTorchFile(PickleOf(Dictionary({Text("w"), PickleTensor(tensor)})),
                        {{"0", "0123456789ab"}});
  const auto table = ParseTorchFile(bytes);
  if (!table.ok()) return table.status();
  return table->tensors.at("w");
}

PickledTensor Matrix() { return {.elements = 3, .shape = {1, 2}, .strides = {2, 1}}; }

TEST(TorchFile, TensorIsAViewOfItsStorage) {
  PickledTensor tensor = Matrix();
  tensor.offset = 1;
  const auto view = ReadOne(tensor);
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(DescribeTensor(*view), "[1, 2] F32");
  EXPECT_THAT(view->strides, IsEmpty());
  EXPECT_THAT(view->bytes, ElementsAre('4', '5', '6', '7', '8', '9', 'a', 'b'));
}

TEST(TorchFile, EveryKindOfStorageIsRead) {
  for (const auto& [type, name, elements] :
       {std::tuple{"FloatStorage", "F32", 3}, std::tuple{"HalfStorage", "F16", 6},
        std::tuple{"BFloat16Storage", "BF16", 6}, std::tuple{"IntStorage", "I32", 3},
        std::tuple{"ShortStorage", "I16", 6}, std::tuple{"CharStorage", "I8", 12},
        std::tuple{"ByteStorage", "U8", 12}, std::tuple{"BoolStorage", "BOOL", 12}}) {
    const auto view = ReadOne({.type = type, .elements = elements, .shape = {2}, .strides = {1}});
    ASSERT_THAT(view, IsOk()) << type;
    EXPECT_EQ(DescribeTensor(*view), absl::StrCat("[2] ", name));
  }
  EXPECT_THAT(ReadOne({.type = "ComplexFloatStorage", .elements = 1, .shape = {1}, .strides = {1}}),
              StatusIs(kBad, AllOf(HasSubstr("'w'"), HasSubstr("ComplexFloatStorage"))));
}

TEST(TorchFile, StridesAreKept) {
  PickledTensor tensor{.elements = 3, .shape = {2, 1}, .strides = {2, 9}};
  const auto view = ReadOne(tensor);
  ASSERT_THAT(view, IsOk());
  EXPECT_THAT(view->strides, ElementsAre(2, 9));
  EXPECT_THAT(view->bytes, SizeIs(12));
}

TEST(TorchFile, ScalarsAndEmptyTensorsAreRead) {
  const auto scalar = ReadOne({.elements = 3, .offset = 2});
  ASSERT_THAT(scalar, IsOk());
  EXPECT_THAT(scalar->bytes, ElementsAre('8', '9', 'a', 'b'));
  const auto empty = ReadOne({.elements = 3, .offset = 3, .shape = {0, 7}, .strides = {7, 1}});
  ASSERT_THAT(empty, IsOk());
  EXPECT_THAT(empty->bytes, IsEmpty());
}

TEST(TorchFile, TensorsBeyondTheirStorageAreRefused) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  for (const PickledTensor& tensor :
       {PickledTensor{.elements = 3, .offset = 0, .shape = {4}, .strides = {1}},
        PickledTensor{.elements = 3, .offset = 3, .shape = {1}, .strides = {1}},
        PickledTensor{.elements = 3, .offset = -1, .shape = {1}, .strides = {1}},
        PickledTensor{.elements = 3, .offset = kHuge, .shape = {1}, .strides = {1}},
        PickledTensor{.elements = 3, .offset = 0, .shape = {2}, .strides = {3}},
        PickledTensor{.elements = 3, .offset = 0, .shape = {2}, .strides = {-1}},
        PickledTensor{.elements = 3, .offset = 0, .shape = {-1}, .strides = {1}},
        PickledTensor{.elements = 3, .offset = 0, .shape = {kHuge, 8}, .strides = {0, 0}},
        PickledTensor{.elements = 3, .offset = 0, .shape = {2, 2}, .strides = {kHuge, kHuge}},
        // Expanded: 1000 elements of one.
        PickledTensor{.elements = 3, .offset = 0, .shape = {1000}, .strides = {0}},
        PickledTensor{.elements = 3, .offset = 0, .shape = {1, 1}, .strides = {1}},
        PickledTensor{.elements = 3,
        .shape = std::vector<int64_t>(40, 1),
        .strides = std::vector<int64_t>(40, 1)},
        PickledTensor{.elements = 4, .offset = 0, .shape = {1}, .strides = {1}},
        PickledTensor{.storage = "1", .elements = 3, .shape = {1}, .strides = {1}}}) {
    EXPECT_THAT(ReadOne(tensor), StatusIs(kBad, HasSubstr("tensor 'w': ")));
  }
}

TEST(TorchFile, EveryTruncationIsRefused) {
  const std::string bytes = MakeTorchFile(PickleOf(Dictionary({Text("w"), PickleTensor(Matrix())})),
                                          {{"0", "0123456789ab"}});
  ASSERT_THAT(ParseTorchFile(bytes), IsOk());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(ParseTorchFile(absl::string_view(bytes).substr(0, length)), Not(IsOk())) << length;
  }
}

TEST(TorchFile, DictionaryOfTheTeacherIsRead) {
  const std::string one = Dictionary({Text("one"), PickleTensor(Matrix())});
  const std::string two = Dictionary({Text("two"), PickleTensor(Matrix()), Text("n"), Integer(3)});
  const std::string bytes = MakeTorchFile(
      PickleOf(Dictionary({Text("student"), one, Text("epoch"), Integer(3), Text("teacher"), two})),
      {{"0", "0123456789ab"}});
  const auto table = ParseTorchFile(bytes);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->part, "teacher");
  EXPECT_THAT(table->tensors, SizeIs(1));
  EXPECT_TRUE(table->tensors.contains("two"));
}

TEST(TorchFile, NestedDictionariesAreRead) {
  const std::string inner = Dictionary({Text("w"), PickleTensor(Matrix())});
  const std::string bytes =
      MakeTorchFile(PickleOf(Dictionary({Text("model"), Dictionary({Text("state_dict"), inner})})),
                    {{"0", "0123456789ab"}});
  const auto table = ParseTorchFile(bytes);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(table->part, "model.state_dict");
}

TEST(TorchFile, FileWithoutTensorsIsRefused) {
  for (const std::string& program :
       {std::string("N"), std::string("}"), Dictionary({Text("a"), Integer(1)}),
        PickleTensor(Matrix()), Dictionary({Text("model"), "]"})}) {
    EXPECT_THAT(ParseTorchFile(MakeTorchFile(PickleOf(program), {{"0", "0123456789ab"}})),
                StatusIs(kBad, HasSubstr("no dictionary of tensors")));
  }
}

TEST(TorchFile, TensorsWithoutNameOrWithTwoAreRefused) {
  const std::string tensor = PickleTensor(Matrix());
  EXPECT_THAT(ParseTorchFile(MakeTorchFile(PickleOf(Dictionary({Integer(1), tensor})),
                                           {{"0", "0123456789ab"}})),
              StatusIs(kBad, HasSubstr("without a name")));
  EXPECT_THAT(
      ParseTorchFile(MakeTorchFile(PickleOf(Dictionary({Text("w"), tensor, Text("w"), tensor})),
                                   {{"0", "0123456789ab"}})),
      StatusIs(kBad, HasSubstr("'w': appears twice")));
}

TEST(TorchFile, ParameterIsItsTensor) {
  const std::string parameter =
      Name("torch._utils", "_rebuild_parameter") +
      Tuple({PickleTensor(Matrix()), "\x88", Name("collections", "OrderedDict") + ")R"}) + "R";
  const std::string bytes =
      MakeTorchFile(PickleOf(Dictionary({Text("w"), parameter})), {{"0", "0123456789ab"}});
  const auto table = ParseTorchFile(bytes);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ(DescribeTensor(table->tensors.at("w")), "[1, 2] F32");
}

TEST(TorchFile, OtherArchivesAreNamed) {
  EXPECT_THAT(ParseTorchFile(MakeZip({{"a.txt", "x"}})), StatusIs(kBad, HasSubstr("no data.pkl")));
  EXPECT_THAT(ParseTorchFile(MakeZip({{"x/data.pkl", "x"}, {"x/constants.pkl", "x"}})),
              StatusIs(kBad, HasSubstr("TorchScript")));
  EXPECT_THAT(ParseTorchFile(MakeZip({{"x/data.pkl", "x"}, {"x/byteorder", "big"}})),
              StatusIs(kBad, HasSubstr("big-endian")));
}

TEST(TorchFile, ConversionQuotesThePathForAShell) {
  EXPECT_THAT(LegacyTorchConversion("it's.pth"),
              HasSubstr(R"('it'\''s.pth' 'it'\''s.pth.zip.pth')"));
}

}  // namespace
}  // namespace objectdino
