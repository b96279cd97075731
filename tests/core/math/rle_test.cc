// SPDX-License-Identifier: Apache-2.0
#include "core/math/rle.h"

#include <fstream>
#include <limits>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "tests/reference/rle_reference.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

struct GoldenMask {
  std::vector<uint8_t> mask;
  int height = 0;
  int width = 0;
  std::string counts;
};

std::vector<GoldenMask> GoldenMasks() {
  std::ifstream file(OBJECTDINO_SOURCE_DIR "/tests/golden/rle.json");
  const nlohmann::json golden_file = nlohmann::json::parse(file);
  std::vector<GoldenMask> masks;
  for (const auto& entry : golden_file.at("masks")) {
    GoldenMask golden = {.mask = {},
                         .height = entry.at("size").at(0),
                         .width = entry.at("size").at(1),
                         .counts = entry.at("counts")};
    for (const std::string row : entry.at("rows")) {
      for (const char pixel : row) golden.mask.push_back(pixel == '1' ? 1 : 0);
    }
    masks.push_back(golden);
  }
  return masks;
}

TEST(CocoRle, GoldenMasks_EncodeAsPycocotools) {
  const auto masks = GoldenMasks();
  ASSERT_GE(masks.size(), 20U);
  for (const GoldenMask& golden : masks) {
    EXPECT_EQ(EncodeCocoRle(golden.mask, golden.height, golden.width), golden.counts)
        << golden.height << " x " << golden.width;
  }
}

TEST(CocoRle, GoldenStrings_DecodeToTheirMask) {
  for (const GoldenMask& golden : GoldenMasks()) {
    const auto mask = DecodeCocoRle(golden.counts, golden.height, golden.width);
    ASSERT_THAT(mask, IsOk());
    EXPECT_EQ(*mask, golden.mask) << golden.counts;
  }
}

TEST(CocoRle, RandomMasks_SurviveTheRoundTripAndTheTwinAgrees) {
  std::mt19937 engine(11);
  for (int i = 0; i < 400; ++i) {
    const int height = 1 + static_cast<int>(engine() % 70);
    const int width = 1 + static_cast<int>(engine() % 70);
    std::bernoulli_distribution flips(i % 2 == 0 ? 0.5 : 0.02);
    uint8_t value = 0;
    std::vector<uint8_t> mask(size_t{1} * height * width);
    for (uint8_t& pixel : mask) pixel = value ^= flips(engine) ? 1 : 0;
    const std::string rle = EncodeCocoRle(mask, height, width);
    const auto decoded = DecodeCocoRle(rle, height, width);
    ASSERT_THAT(decoded, IsOk());
    EXPECT_EQ(*decoded, mask);
    EXPECT_EQ(reference::DecodeCocoRle(rle, height, width), mask);
  }
}

TEST(CocoRle, AnyNonZeroValue_IsInside) {
  const std::vector<uint8_t> mask = {0, 255, 7, 0};
  const auto decoded = DecodeCocoRle(EncodeCocoRle(mask, 2, 2), 2, 2);
  ASSERT_THAT(decoded, IsOk());
  EXPECT_THAT(*decoded, ElementsAre(0, 1, 1, 0));
}

TEST(CocoRle, EmptyMask_RoundTrips) {
  const auto decoded = DecodeCocoRle(EncodeCocoRle({}, 0, 5), 0, 5);
  ASSERT_THAT(decoded, IsOk());
  EXPECT_THAT(*decoded, IsEmpty());
}

TEST(VisitCocoRle, RunsOfOnes_AreThoseOfTheMask) {
  std::mt19937 engine(12);
  for (int trial = 0; trial < 200; ++trial) {
    const int height = 1 + static_cast<int>(engine() % 20);
    const int width = 1 + static_cast<int>(engine() % 20);
    std::vector<uint8_t> mask(size_t{1} * height * width);
    for (uint8_t& pixel : mask) pixel = engine() % 3 == 0 ? 1 : 0;
    std::vector<uint8_t> painted(mask.size(), 0);
    int64_t last = -1;
    ASSERT_THAT(VisitCocoRle(EncodeCocoRle(mask, height, width), height, width,
                             [&](int64_t begin, int64_t end) {
                               EXPECT_GT(begin, last) << "runs that touch are one";
                               EXPECT_LT(begin, end);
                               last = end;
                               for (int64_t i = begin; i < end; ++i) {
                                 painted[static_cast<size_t>(i % height * width + i / height)] = 1;
                               }
                             }),
                IsOk());
    EXPECT_EQ(painted, mask);
  }
}

TEST(DecodeCocoRle, RunsGoDownTheColumns) {
  const auto mask = DecodeCocoRle("321", 2, 3);  // 3 zeros, 2 ones, 1 zero
  ASSERT_THAT(mask, IsOk());
  EXPECT_THAT(*mask, ElementsAre(0, 0, 1, 0, 1, 0));
}

TEST(DecodeCocoRle, EmptyString_IsInvalidForPixels) {
  EXPECT_THAT(DecodeCocoRle("", 2, 2), StatusIs(kInvalid, HasSubstr("sum to 0")));
}

TEST(DecodeCocoRle, TooFewPixels_IsInvalid) {
  EXPECT_THAT(DecodeCocoRle("3", 2, 2), StatusIs(kInvalid, HasSubstr("sum to 3")));
}

TEST(DecodeCocoRle, TooManyPixels_IsInvalid) {
  EXPECT_THAT(DecodeCocoRle("32", 2, 2), StatusIs(kInvalid, HasSubstr("does not fit")));
}

TEST(DecodeCocoRle, NegativeRun_IsInvalid) {
  EXPECT_THAT(DecodeCocoRle("O", 2, 2), StatusIs(kInvalid, HasSubstr("of -1")));
  // The fourth number is a difference: 1 - 2.
  EXPECT_THAT(DecodeCocoRle("111N", 2, 2), StatusIs(kInvalid, HasSubstr("of -1")));
}

TEST(DecodeCocoRle, CharacterOutsideTheAlphabet_IsInvalid) {
  EXPECT_THAT(DecodeCocoRle("/", 1, 1), StatusIs(kInvalid, HasSubstr("character code 47")));
  EXPECT_THAT(DecodeCocoRle("p", 1, 1), StatusIs(kInvalid, HasSubstr("character code 112")));
  EXPECT_THAT(DecodeCocoRle("\xff", 1, 1), StatusIs(kInvalid, HasSubstr("character code")));
}

TEST(DecodeCocoRle, UnfinishedNumber_IsInvalid) {
  EXPECT_THAT(DecodeCocoRle("Q", 4, 4), StatusIs(kInvalid, HasSubstr("inside a number")));
}

TEST(DecodeCocoRle, NumberThatWouldOverflow_IsInvalid) {
  EXPECT_THAT(DecodeCocoRle(std::string(64, 'o'), 4, 4), StatusIs(kInvalid, HasSubstr("too long")));
  EXPECT_THAT(DecodeCocoRle("oooooo?", 4, 4), StatusIs(kInvalid, HasSubstr("does not fit")));
}

TEST(DecodeCocoRle, SizeOutOfRange_IsInvalid) {
  constexpr int kMax = std::numeric_limits<int>::max();
  EXPECT_THAT(DecodeCocoRle("0", -1, 4), StatusIs(kInvalid, HasSubstr("-1 x 4")));
  EXPECT_THAT(DecodeCocoRle("0", -2, -2), StatusIs(kInvalid, HasSubstr("-2 x -2")));
  EXPECT_THAT(DecodeCocoRle("0", kMax, kMax), StatusIs(kInvalid, HasSubstr("size")));
}

}  // namespace
}  // namespace objectdino
