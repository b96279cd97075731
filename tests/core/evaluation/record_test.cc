// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/record.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/evaluation/moved_boxes.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::StatusIs;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TruthObject Object(const Box& box) {
  TruthObject object;
  object.box = box;
  object.mask.emplace().polygons = {
      {{box.x1, box.y1}, {box.x2, box.y1}, {box.x2, box.y2}, {box.x1, box.y2}}};
  return object;
}

Answer AnswerOf(ImageSize image, const std::vector<Box>& boxes) {
  Answer answer;
  answer.grounding.image = image;
  for (const Box& box : boxes) answer.grounding.objects.emplace_back().box = box;
  return answer;
}

TEST(RecordBoxes, BestFirst) {
  const ImageRecord record = RecordBoxes(AnswerOf({4, 6}, {{0, 0, 1, 1}, {2, 2, 3, 3}}));
  EXPECT_EQ(record.image, (ImageSize{4, 6}));
  EXPECT_THAT(record.boxes, ElementsAre(Box{0, 0, 1, 1}, Box{2, 2, 3, 3}));
}

TEST(RecordMasks, EachObjectWithTheMaskThatFitsItBest) {
  Sample sample;
  sample.objects = {Object({0, 0, 1, 1}), Object({0, 0, 2, 2})};
  Answer answer = AnswerOf({2, 4}, {{0, 0, 1, 1}, {0, 0, 1, 1}});
  answer.pixel_masks = {{1, 1, 0, 0, 0, 0, 0, 0}, {1, 1, 0, 0, 1, 0, 0, 0}};
  const auto record = RecordMasks(sample, answer);
  ASSERT_THAT(record, testing::IsOk());
  EXPECT_THAT(record->masks.best, ElementsAre(DoubleEq(1.0 / 2), DoubleEq(3.0 / 4)));
  EXPECT_THAT(record->masks.whole, ElementsAre(DoubleEq(1.0 / 8), DoubleEq(4.0 / 8)));
  EXPECT_EQ(record->masks.largest, 1);
}

TEST(RecordMasks, NothingFound_IsZero) {
  Sample sample;
  sample.objects = {Object({0, 0, 2, 2})};
  EXPECT_THAT(RecordMasks(sample, AnswerOf({2, 4}, {}))->masks.best, ElementsAre(0));
}

TEST(RecordMasks, ObjectWithoutMask_IsInvalid) {
  Sample sample;
  sample.objects = {Object({0, 0, 2, 2}), TruthObject()};
  EXPECT_THAT(RecordMasks(sample, AnswerOf({2, 4}, {})),
              StatusIs(absl::StatusCode::kInvalidArgument, "object 2 has no mask"));
}

TEST(RecordVerify, ScoresTrueBoxesAndTheirMovedOnes) {
  Sample sample;
  sample.name = "a.jpg";
  // The second fills the image: it has no other place, and is left out.
  sample.objects = {Object({0, 0, 10, 10}), Object({0, 0, 60, 60})};
  Answer answer = AnswerOf({60, 60}, {});
  Grounding& grounding = answer.grounding;
  const auto score = [](const Box& box) { return box.x1 + 100.0 * box.y2; };
  const auto record = RecordVerify(
      sample, answer, [&](absl::Span<const Box> boxes) -> absl::StatusOr<std::vector<double>> {
        std::vector<double> scores;
        for (const Box& box : boxes) scores.push_back(score(box));
        return scores;
      });
  ASSERT_THAT(record, testing::IsOk());
  const auto moved = MovedBoxes(sample.Boxes(), grounding.image, sample.name);
  ASSERT_THAT(moved[0], ::testing::SizeIs(5));
  ASSERT_THAT(moved[1], IsEmpty());
  EXPECT_THAT(record->verify.true_scores, ElementsAre(score({0, 0, 10, 10})));
  std::vector<double> expected;
  for (const Box& box : moved[0]) expected.push_back(score(box));
  EXPECT_EQ(record->verify.moved_scores, expected);
}

TEST(RecordVerify, FailedCheck_IsTheResult) {
  Sample sample;
  sample.objects = {Object({0, 0, 10, 10})};
  const auto record =
      RecordVerify(sample, AnswerOf({60, 60}, {}),
                   [](absl::Span<const Box>) -> absl::StatusOr<std::vector<double>> {
                     return absl::UnavailableError("gone");
                   });
  EXPECT_THAT(record, StatusIs(absl::StatusCode::kUnavailable, "gone"));
}

}  // namespace
}  // namespace objectdino
