// SPDX-License-Identifier: Apache-2.0
// tests/python/test_eval.py compares with pycocotools.
#include "core/evaluation/recall.h"

#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/random_state.h"

namespace objectdino {
namespace {

using ::testing::Each;

TEST(Recall, ThresholdsOfCoco) {
  const auto thresholds = RecallThresholds();
  EXPECT_EQ(thresholds.front(), 0.5);
  EXPECT_NEAR(thresholds[4], 0.7, 1e-12);
  EXPECT_EQ(thresholds.back(), 0.95);
}

TEST(Recall, ExactBoxes_AreFoundAtEveryThreshold) {
  const std::vector<Box> truth = {{0, 0, 10, 10}, {20, 0, 30, 10}};
  EXPECT_THAT(CountFound(truth, truth), Each(2));
  EXPECT_THAT(CountFound({}, truth), Each(0));
  EXPECT_THAT(CountFound(truth, {}), Each(0));
}

TEST(Recall, OneBox_IsFoundOnce) {
  const std::vector<Box> truth = {{0, 0, 10, 10}, {20, 0, 30, 10}};
  EXPECT_THAT(CountFound({truth[0], truth[0], truth[0]}, truth), Each(1));
}

TEST(Recall, IouOfSixTenths_IsFoundUpToThere) {
  const auto found = CountFound({{0, 0, 10, 10}}, {{0, 0, 10, 6.2F}});
  EXPECT_EQ(found[2], 1) << "at .60";
  EXPECT_EQ(found[3], 0) << "at .65";
}

TEST(Recall, EarlierPrediction_ChoosesFirst) {
  // The first takes the left box (IoU .8 of it, .54 of the right); the second overlaps the left
  // only.
  const std::vector<Box> truth = {{0, 0, 10, 10}, {3, 0, 13, 10}};
  EXPECT_EQ(CountFound({{1, 0, 11, 10}, {0, 0, 10, 10}}, truth)[0], 2)
      << "the second takes what is left, IoU 7 / 13";
  EXPECT_EQ(CountFound({{1, 0, 11, 10}, {-4, 0, 8, 10}}, truth)[0], 1);
}

// The matching by its definition, without early exits.
int PlainCount(const std::vector<Box>& predictions, const std::vector<Box>& truth, double least) {
  std::vector<size_t> free_boxes(truth.size());
  for (size_t i = 0; i < truth.size(); ++i) free_boxes[i] = i;
  int found = 0;
  for (const Box& prediction : predictions) {
    const auto best =
        std::max_element(free_boxes.begin(), free_boxes.end(), [&](size_t a, size_t b) {
          return BoxIou(prediction, truth[a]) <=
                 BoxIou(prediction, truth[b]);  // the last of equals
        });
    if (best == free_boxes.end() || BoxIou(prediction, truth[*best]) < least) continue;
    free_boxes.erase(best);
    ++found;
  }
  return found;
}

TEST(Recall, EqualsThePlainMatching_OnRandomBoxes) {
  RandomState random(3);
  const auto box = [&random] {
    const auto x = static_cast<float>(random.NextDouble() * 30);
    const auto y = static_cast<float>(random.NextDouble() * 30);
    return Box{x, y, x + 20 + static_cast<float>(random.NextDouble() * 20),
               y + 20 + static_cast<float>(random.NextDouble() * 20)};
  };
  int total = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<Box> predictions(static_cast<size_t>(random.NextDouble() * 8));
    std::vector<Box> truth(static_cast<size_t>(random.NextDouble() * 8));
    std::generate(predictions.begin(), predictions.end(), box);
    std::generate(truth.begin(), truth.end(), box);
    const auto found = CountFound(predictions, truth);
    for (int i = 0; i < kRecallThresholds; ++i) {
      EXPECT_EQ(found[i], PlainCount(predictions, truth, RecallThresholds()[i])) << trial;
      total += found[i];
    }
  }
  EXPECT_GT(total, 500) << "the boxes are too far apart to test anything";
}

}  // namespace
}  // namespace objectdino
