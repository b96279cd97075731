// SPDX-License-Identifier: Apache-2.0
#include "core/weights/pickle.h"

#include <cstddef>
#include <cstdint>
#include <string>

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
using ::objectdino::testing::LittleEndian;
using ::objectdino::testing::Name;
using ::objectdino::testing::PickledTensor;
using ::objectdino::testing::PickleOf;
using ::objectdino::testing::PickleTensor;
using ::objectdino::testing::StatusIs;
using ::objectdino::testing::Text;
using ::objectdino::testing::Tuple;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Kind = PickleValue::Kind;
constexpr auto kBad = absl::StatusCode::kFailedPrecondition;

// The number that a program leaves.
int64_t NumberOf(const std::string& program) {
  const std::string bytes = PickleOf(program);
  const auto pickle = ParsePickle(bytes);
  EXPECT_THAT(pickle, IsOk());
  if (!pickle.ok()) return -4711;
  EXPECT_EQ(pickle->at(pickle->root).kind, Kind::kInt);
  return pickle->at(pickle->root).number;
}

TEST(Pickle, NumbersOfEveryWidthAreRead) {
  EXPECT_EQ(NumberOf("K\xff"), 255);
  EXPECT_EQ(NumberOf("M\x01\x02"), 513);
  EXPECT_EQ(NumberOf("J\xff\xff\xff\xff"), -1);
  EXPECT_EQ(NumberOf(std::string("\x8a\x00", 2)), 0);
  EXPECT_EQ(NumberOf("\x8a\x01\xff"), -1);
  EXPECT_EQ(NumberOf(std::string("\x8a\x02\xff\x00", 4)), 255);
  EXPECT_EQ(NumberOf(Integer(-9'000'000'000)), -9'000'000'000);
  EXPECT_EQ(NumberOf("\x88"), 1);
  EXPECT_EQ(NumberOf("\x89"), 0);
}

TEST(Pickle, DictionaryIsRead) {
  const std::string bytes = PickleOf(Dictionary({Text("a"), Integer(7), Text("b"), "]K\1a"}));
  const auto pickle = ParsePickle(bytes);
  ASSERT_THAT(pickle, IsOk());
  const PickleValue& dict = pickle->at(pickle->root);
  ASSERT_EQ(dict.kind, Kind::kDict);
  ASSERT_NE(pickle->Find(dict, "a"), nullptr);
  EXPECT_EQ(pickle->Find(dict, "a")->number, 7);
  EXPECT_EQ(pickle->Find(dict, "b")->items.size(), 1U);
  EXPECT_EQ(pickle->Find(dict, "c"), nullptr);
}

TEST(Pickle, MemoIsRecalled) {
  // A text, stored twice and fetched by each of its places.
  const std::string bytes = PickleOf(absl::StrCat("(", Text("t"), "q\x05r", LittleEndian(70000, 4),
                                                  "h\x05j", LittleEndian(70000, 4), "t"));
  const auto pickle = ParsePickle(bytes);
  ASSERT_THAT(pickle, IsOk());
  const PickleValue& tuple = pickle->at(pickle->root);
  ASSERT_EQ(tuple.items.size(), 3U);
  EXPECT_EQ(tuple.items[0], tuple.items[1]);
  EXPECT_EQ(tuple.items[0], tuple.items[2]);
}

TEST(Pickle, OptionsOfATrainingRunStayOpaque) {
  const std::string bytes = PickleOf(Name("argparse", "Namespace") + ")\x81" +
                                     Dictionary({Text("lr"), "G12345678", Text("x"), "N"}) + "b");
  const auto pickle = ParsePickle(bytes);
  ASSERT_THAT(pickle, IsOk());
  EXPECT_EQ(pickle->at(pickle->root).kind, Kind::kOpaque);
}

TEST(Pickle, SelfReferenceIsHarmless) {
  const std::string bytes = PickleOf("]q\1h\1a");
  const auto pickle = ParsePickle(bytes);
  ASSERT_THAT(pickle, IsOk());
  EXPECT_EQ(pickle->at(pickle->root).items[0], pickle->root);
}

// What a hostile file would call, in each of the ways that a pickle can call.
TEST(Pickle, NamesOutsideTheListAreRefused) {
  for (const std::string& name :
       {Name("os", "system"), Name("posix", "system"), Name("builtins", "eval"),
        Name("__builtin__", "exec"), Name("subprocess", "Popen"), Name("torch", "load"),
        Name("torch._utils", "_rebuild_tensor_v2 "), Name("torch.storage", "_load_from_bytes"),
        Name("torch", "jit.load"), Name("collections OrderedDict", "x"), Name("", ""),
        Name("__torch__", "M"), Name("numpy.core.multiarray", "_reconstruct")}) {
    EXPECT_THAT(ParsePickle(PickleOf(name + Tuple({Text("true")}) + "R")),
                StatusIs(kBad, AllOf(HasSubstr("byte 3: names '"), HasSubstr("hostile"))))
        << name;
  }
}

// What a small file could ask to be looked through again and again.
TEST(Pickle, WhatNoCheckpointHasSoMuchOfIsRefused) {
  const std::string long_name = Name("torch", std::string(100, 'x') + "Storage");
  EXPECT_THAT(ParsePickle(PickleOf(long_name)), StatusIs(kBad, HasSubstr("byte 3: names '")));
  const PickledTensor flat{.elements = 1, .shape = std::vector<int64_t>(65, 1), .strides = {}};
  EXPECT_THAT(ParsePickle(PickleOf(PickleTensor(flat))),
              StatusIs(kBad, HasSubstr("a tensor of unexpected parts")));
  EXPECT_THAT(ParsePickle(PickleOf(std::string(1'000'001, '('))),
              StatusIs(kBad, HasSubstr("more marks")));
  EXPECT_THAT(ParsePickle(PickleOf(std::string(1'000'001, 'N'))),
              StatusIs(kBad, HasSubstr("more values")));
  std::string slots = "N";
  for (uint64_t slot = 0; slot <= 1'000'000; ++slot) {
    absl::StrAppend(&slots, "r", LittleEndian(slot, 4));
  }
  EXPECT_THAT(ParsePickle(PickleOf(slots)), StatusIs(kBad, HasSubstr("more memo slots")));
  EXPECT_THAT(ParsePickle(PickleOf(std::string(size_t{16} << 20, 'N'))),
              StatusIs(kBad, HasSubstr("larger than any")));
}

TEST(Pickle, OpcodesOutsideTheListAreRefused) {
  // INST, OBJ, EXT1, EXT2, EXT4, STACK_GLOBAL, NEWOBJ_EX, PERSID, LONG4, BINBYTES, FRAME,
  // NEXT_BUFFER.
  for (const std::string& program :
       {std::string("(ios\nsystem\n"), std::string("(o"), std::string("\x82\x01"),
        std::string("\x83\x01\x01"), std::string("\x84\x01\x01\x01\x01"), std::string("\x93"),
        std::string("\x92"), std::string("P1\n"), std::string("\x8b\x01\x01\x01\x01"),
        std::string("B\x01\x01\x01\x01"), std::string("\x95"), std::string("\x97"),
        std::string(1, '\0')}) {
    EXPECT_THAT(ParsePickle(PickleOf(program)), StatusIs(kBad, HasSubstr("is not allowed")));
  }
}

TEST(Pickle, OtherProtocolsAreRefused) {
  EXPECT_THAT(ParsePickle(""), StatusIs(kBad, HasSubstr("no protocol")));
  EXPECT_THAT(ParsePickle("N."), StatusIs(kBad, HasSubstr("no protocol")));
  EXPECT_THAT(ParsePickle("\x80\x04N."), StatusIs(kBad, HasSubstr("protocol other than 2")));
}

TEST(Pickle, StackThatIsTooShortIsRefused) {
  for (const std::string program :
       {"",  "a",   "e",   "s",  "u",  "t",  "\x85",  "\x86", "\x87", "R",     "b",
        "Q", "q\1", "h\1", "NR", "Na", "Ns", "N\x86", "(R",   "N(a",  "](e(a", "NN"}) {
    EXPECT_THAT(ParsePickle(PickleOf(program)), StatusIs(kBad, HasSubstr("pickle, byte")))
        << program;
  }
}

TEST(Pickle, CallsOfTheWrongKindAreRefused) {
  const std::string dict = Name("collections", "OrderedDict");
  const std::string storage = Name("torch", "FloatStorage");
  for (const std::string& program :
       {Text("f") + ")R", dict + "NR", dict + Tuple({Integer(1)}) + "R", storage + ")R",
        Name("torch._utils", "_rebuild_tensor_v2") + ")R",
        Name("torch._utils", "_rebuild_parameter") + ")R",
        Name("torch._utils", "_rebuild_parameter") + Tuple({Text("x")}) + "R", Text("x") + "Q",
        Tuple({Text("module"), storage, Text("0"), Text("cpu"), Integer(1)}) + "Q",
        Tuple({Text("storage"), Text("x"), Text("0"), Text("cpu"), Integer(1)}) + "Q",
        Tuple({Text("storage"), storage, Integer(0), Text("cpu"), Integer(1)}) + "Q",
        Tuple({Text("storage"), storage, Text("0"), Text("cpu"), "N"}) + "Q",
        absl::StrCat("]", dict, "s"), Text("x") + "Na", std::string("}(Nu")}) {
    EXPECT_THAT(ParsePickle(PickleOf(program)), Not(IsOk())) << program;
  }
}

TEST(Pickle, EveryTruncationIsRefused) {
  const std::string bytes = PickleOf(
      Dictionary({Text("w"), PickleTensor({.elements = 4, .shape = {2, 2}, .strides = {2, 1}})}));
  ASSERT_THAT(ParsePickle(bytes), IsOk());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(ParsePickle(absl::string_view(bytes).substr(0, length)), Not(IsOk())) << length;
  }
}

TEST(Pickle, LengthsBeyondTheFileAreRefused) {
  EXPECT_THAT(ParsePickle("\x80\x02X\xff\xff\xff\xffx."), StatusIs(kBad, HasSubstr("cut short")));
  EXPECT_THAT(ParsePickle("\x80\x02\x8a\xff."), StatusIs(kBad, HasSubstr("beyond 64 bits")));
}

TEST(Pickle, FloodsAreRefused) {
  EXPECT_THAT(ParsePickle(absl::StrCat("\x80\x02", std::string(2'000'000, 'N'))),
              StatusIs(kBad, HasSubstr("more values")));
  EXPECT_THAT(ParsePickle(std::string(size_t{17} << 20, '(')), StatusIs(kBad, HasSubstr("larger")));
}

TEST(Pickle, DeepNestingCostsNoStack) {
  // Tuples within tuples; then they go away with the result.
  EXPECT_THAT(ParsePickle(PickleOf(absl::StrCat("N", std::string(900'000, '\x85')))), IsOk());
}

}  // namespace
}  // namespace objectdino
