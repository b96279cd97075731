// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/verify.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/random_state.h"
#include "core/math/rle.h"
#include "core/objects/object_embedding.h"
#include "tests/reference/verify_reference.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// Patches of 10 x 10 pixels, 4 x 6 of them. Objects: 0 is rows 1 .. 2, columns 1 .. 2, bright; 1 is
// the patch at row 3, column 5. Embeddings: x on object 0, y on object 1, z elsewhere.
Grounding Scene() {
  Grounding grounding;
  grounding.image = {40, 60};
  grounding.grid = {4, 6, 14};
  grounding.objectness.assign(24, 0.1F);
  grounding.cls_attention.assign(24, 0.01F);
  grounding.embedding_width = 3;
  grounding.objects.resize(2);
  for (GroundedObject& object : grounding.objects) object.mask.assign(24, 0);
  for (const int i : {7, 8, 13, 14}) {
    grounding.objectness[i] = 0.9F;
    grounding.cls_attention[i] = 0.1F;
    grounding.objects[0].mask[i] = 1;
  }
  grounding.objects[1].mask[23] = 1;
  grounding.objects[0].box = {10, 10, 30, 30};
  grounding.objects[1].box = {50, 30, 60, 40};
  for (int i = 0; i < 24; ++i) {
    const int axis = grounding.objects[0].mask[i] != 0   ? 0
                     : grounding.objects[1].mask[i] != 0 ? 1
                                                         : 2;
    for (int d = 0; d < 3; ++d) grounding.patch_vectors.push_back(d == axis ? 1.0F : 0.0F);
  }
  grounding.objects[0].embedding = {1, 0, 0};
  grounding.objects[1].embedding = {0, 1, 0};
  return grounding;
}

RegionScore Verify(const Grounding& grounding, const ClaimedRegion& region) {
  const std::vector<RegionScore> scores = VerifyRegions(grounding, {region});
  EXPECT_EQ(scores.size(), 1U);
  return scores.at(0);
}

TEST(VerifyRegions, BoxOfAnObject_IsThatObject) {
  const RegionScore score = Verify(Scene(), Box{10, 10, 30, 30});
  EXPECT_NEAR(score.reading.objectness_inside, 0.9, 1e-6);
  EXPECT_NEAR(score.reading.objectness_around, 0.1, 1e-6);
  EXPECT_NEAR(score.reading.attention_inside, 1, 1e-6);
  EXPECT_NEAR(score.reading.attention_outside, 0, 1e-6);
  EXPECT_NEAR(score.score, ScoreOfRule(1.8), 1e-6);
  EXPECT_NEAR(score.coverage, 1, 1e-9);
  ASSERT_TRUE(score.best_object.has_value());
  EXPECT_EQ(score.best_object->index, 0);
  EXPECT_NEAR(score.best_object->iou, 1, 1e-9);
  EXPECT_NEAR(score.best_object->similarity, 1, 1e-6);
  EXPECT_FALSE(score.query.has_value());
}

TEST(VerifyRegions, BoxInTheBackground_HasNoObject) {
  const RegionScore score = Verify(Scene(), Box{40, 0, 60, 20});
  EXPECT_LT(score.score, 0.5);
  EXPECT_EQ(score.coverage, 0);
  EXPECT_FALSE(score.best_object.has_value());
}

TEST(VerifyRegions, BoxBeyondTheEdge_IsClipped) {
  const Grounding scene = Scene();
  const RegionScore score = Verify(scene, Box{50, 30, 1e6F, 40 + 1e6F});
  EXPECT_EQ(score.box, (Box{50, 30, 60, 40}));
  EXPECT_EQ(score.best_object->index, 1);
  EXPECT_NEAR(score.best_object->iou, 1, 1e-9);
  EXPECT_EQ(score.score, Verify(scene, Box{50, 30, 60, 40}).score);
}

TEST(VerifyRegions, WholeImage_ComparesWithTheMean) {
  const RegionScore score = Verify(Scene(), Box{0, 0, 60, 40});
  EXPECT_NEAR(score.reading.objectness_inside, score.reading.objectness_around, 1e-9);
  EXPECT_EQ(score.reading.attention_outside, 0);
  EXPECT_NEAR(score.coverage, 5.0 / 24, 1e-9);
}

TEST(VerifyRegions, RandomBoxes_EqualTheReference) {
  RandomState random(3);
  const auto uniform = [&random](double high) { return random.NextDouble() * high; };
  int matched = 0;
  for (int trial = 0; trial < 200; ++trial) {
    Grounding grounding;
    grounding.image = {10 + static_cast<int>(uniform(90)), 10 + static_cast<int>(uniform(90))};
    grounding.grid = {1 + static_cast<int>(uniform(6)), 1 + static_cast<int>(uniform(6)), 14};
    grounding.embedding_width = 5;
    for (int i = 0; i < grounding.grid.size(); ++i) {
      grounding.objectness.push_back(static_cast<float>(uniform(1)));
      grounding.cls_attention.push_back(static_cast<float>(uniform(0.1)));
      for (int d = 0; d < 5; ++d) {
        grounding.patch_vectors.push_back(static_cast<float>(uniform(2) - 1));
      }
    }
    for (int k = 0; k < 3; ++k) {
      GroundedObject& object = grounding.objects.emplace_back();
      for (int i = 0; i < grounding.grid.size(); ++i) {
        object.mask.push_back(uniform(1) < 0.3 ? 1 : 0);
      }
      object.mask[static_cast<size_t>(uniform(grounding.grid.size()))] = 1;
      object.box = RegionBox(object.mask, grounding.grid, grounding.image);
      object.embedding = PoolObjectEmbedding(grounding.patch_vectors, 5, object.mask);
    }
    const double x = uniform(grounding.image.width - 1);
    const double y = uniform(grounding.image.height - 1);
    const Box box{static_cast<float>(x), static_cast<float>(y),
                  static_cast<float>(x + 0.5 + uniform(grounding.image.width - x - 0.5)),
                  static_cast<float>(y + 0.5 + uniform(grounding.image.height - y - 0.5))};
    const RegionScore actual = Verify(grounding, box);
    const RegionScore expected = reference::VerifyBox(grounding, box);
    EXPECT_NEAR(actual.score, expected.score, 1e-5) << trial;
    EXPECT_NEAR(actual.coverage, expected.coverage, 1e-6) << trial;
    ASSERT_EQ(actual.best_object.has_value(), expected.best_object.has_value()) << trial;
    if (!expected.best_object) continue;
    ++matched;
    EXPECT_EQ(actual.best_object->index, expected.best_object->index) << trial;
    EXPECT_NEAR(actual.best_object->iou, expected.best_object->iou, 1e-9) << trial;
    EXPECT_NEAR(actual.best_object->similarity, expected.best_object->similarity, 1e-5) << trial;
  }
  EXPECT_GT(matched, 100);
}

TEST(VerifyRegions, Point_StandsForItsPatch) {
  const Grounding scene = Scene();
  const RegionScore score = Verify(scene, Point{25, 15});
  EXPECT_EQ(score.box, (Box{20, 10, 30, 20}));
  EXPECT_NEAR(score.reading.objectness_inside, 0.9, 1e-6);
  EXPECT_NEAR(score.reading.objectness_around, (3 * 0.9 + 20 * 0.1) / 23, 1e-6);
  EXPECT_NEAR(score.reading.attention_outside, 3.0 / 23, 1e-6);
  EXPECT_EQ(score.coverage, 1);
  EXPECT_EQ(score.best_object->index, 0);
  EXPECT_NEAR(score.best_object->iou, 0.25, 1e-9) << "one patch of four";
  EXPECT_EQ(Verify(scene, Point{60, 40}).best_object->index, 1) << "the far corner";
  EXPECT_FALSE(Verify(scene, Point{0, 0}).best_object.has_value());
}

TEST(VerifyRegions, MaskOfABox_ReadsAsTheBox) {
  const Grounding scene = Scene();
  std::vector<uint8_t> pixels(size_t{40} * 60, 0);
  for (int y = 7; y < 33; ++y) {
    for (int x = 12; x < 37; ++x) pixels[static_cast<size_t>(y) * 60 + x] = 1;
  }
  const auto mask = ReadMask(EncodeCocoRle(pixels, 40, 60), scene.grid, scene.image);
  ASSERT_THAT(mask, IsOk());
  const RegionScore of_mask = Verify(scene, *mask);
  const RegionScore of_box = Verify(scene, Box{12, 7, 37, 33});
  EXPECT_EQ(of_mask.box, of_box.box);
  EXPECT_NEAR(of_mask.score, of_box.score, 1e-6);
  EXPECT_NEAR(of_mask.coverage, of_box.coverage, 1e-6);
  EXPECT_EQ(of_mask.best_object->index, 0);
  // 18 x 20 of the object's 20 x 20 pixels, in a mask of 25 x 26.
  EXPECT_NEAR(of_mask.best_object->iou, 360.0 / (25 * 26 + 400 - 360), 1e-5);
  EXPECT_NEAR(of_mask.best_object->similarity, of_box.best_object->similarity, 1e-6);
}

TEST(VerifyRegions, Query_IsFoundWhereItIsMostSimilar) {
  const RegionScore score = Verify(Scene(), PatchQuery{0.1F, 2, 0});
  ASSERT_TRUE(score.query.has_value());
  EXPECT_EQ(score.query->patch, 23);
  EXPECT_NEAR(score.query->similarity, 2 / std::sqrt(4.01), 1e-6) << "of any length";
  EXPECT_EQ(score.box, (Box{50, 30, 60, 40}));
  EXPECT_EQ(score.best_object->index, 1);
  EXPECT_NEAR(score.best_object->iou, 1, 1e-9);
  EXPECT_NEAR(score.best_object->similarity, 2 / std::sqrt(4.01), 1e-6);
}

TEST(VerifyRegions, QueryThatNothingIsLike_IsFoundAllTheSame) {
  const RegionScore score = Verify(Scene(), PatchQuery{-1, -1, -1});
  EXPECT_EQ(score.query->patch, 0) << "the first of equals";
  EXPECT_NEAR(score.query->similarity, -1 / std::sqrt(3), 1e-6);
}

TEST(VerifyRegions, FlatMap_ScoresZero) {
  Grounding scene = Scene();
  scene.objects.clear();
  std::fill(scene.objectness.begin(), scene.objectness.end(), 0.0F);
  for (const ClaimedRegion& region :
       {ClaimedRegion(Box{10, 10, 30, 30}), ClaimedRegion(Point{15, 15}),
        ClaimedRegion(PatchQuery{1, 0, 0})}) {
    const RegionScore score = Verify(scene, region);
    EXPECT_EQ(score.score, 0);
    EXPECT_EQ(score.reading.attention_inside, 0);
    EXPECT_EQ(score.coverage, 0);
    EXPECT_FALSE(score.best_object.has_value());
  }
}

TEST(VerifyRegions, Scores_KeepTheOrderOfTheRegions) {
  const Grounding scene = Scene();
  const std::vector<ClaimedRegion> regions = {Point{5, 5}, Box{10, 10, 30, 30}, Point{55, 35}};
  const std::vector<RegionScore> scores = VerifyRegions(scene, regions);
  ASSERT_EQ(scores.size(), 3U);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(scores[i].score, Verify(scene, regions[i]).score);
  EXPECT_TRUE(VerifyRegions(scene, {}).empty());
  int asked = 0;
  EXPECT_EQ(VerifyRegions(scene, regions, [&asked] { return ++asked == 2; }).size(), 1U);
}

TEST(ReadMask, EmptyMask_IsInvalid) {
  const std::string rle = EncodeCocoRle(std::vector<uint8_t>(24, 0), 4, 6);
  EXPECT_THAT(ReadMask(rle, {2, 2, 14}, {4, 6}), StatusIs(kInvalid, HasSubstr("empty")));
}

TEST(ReadMask, DamagedRuns_AreInvalid) {
  for (const char* rle : {"", "0", "h", "\x01", "00000", "PPYo0"}) {
    EXPECT_THAT(ReadMask(rle, {2, 2, 14}, {4, 6}), StatusIs(kInvalid, HasSubstr("RLE"))) << rle;
  }
}

TEST(ReadMask, LargestMask_TakesNoMemoryOfItsSize) {
  // One run of zeros, one of ones: 2^31 - 1 pixels would be 2 GiB.
  constexpr int kSide = 46'340;
  std::string rle;
  for (int64_t number : {int64_t{kSide} * kSide - 1, int64_t{1}}) {
    bool more = true;
    while (more) {
      int64_t digit = number & 0x1f;
      number >>= 5;
      more = (digit & 0x10) != 0 ? number != -1 : number != 0;
      rle.push_back(static_cast<char>(digit + (more ? 0x20 : 0) + 48));
    }
  }
  const auto mask = ReadMask(rle, {2, 2, 14}, {kSide, kSide});
  ASSERT_THAT(mask, IsOk());
  EXPECT_EQ(mask->box, (Box{kSide - 1, kSide - 1, kSide, kSide}));
  EXPECT_EQ(mask->inside[0], 0);
  EXPECT_GT(mask->inside[3], 0);
}

}  // namespace
}  // namespace objectdino
