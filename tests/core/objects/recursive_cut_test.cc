// SPDX-License-Identifier: Apache-2.0
#include "core/objects/recursive_cut.h"

#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/base/status_macros.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::IsOk;
using ::testing::SizeIs;

// A picture of patches: '.' background, any other letter an object of its own.
struct Scene {
  PatchGrid grid;
  std::string letters;
  std::vector<float> affinity;    // 0.9 within a letter; 0.1 across
  std::vector<float> objectness;  // 0 background, 1 object, less for later letters
};

Scene Draw(const std::vector<std::string>& rows) {
  Scene scene;
  scene.grid = {static_cast<int>(rows.size()), static_cast<int>(rows[0].size()), 14};
  for (const std::string& row : rows) scene.letters += row;
  for (const char a : scene.letters) {
    scene.objectness.push_back(a == '.' ? 0.1f : 1.0f - 0.05f * static_cast<float>(a - 'a'));
    for (const char b : scene.letters) scene.affinity.push_back(a == b ? 0.9f : 0.1f);
  }
  return scene;
}

std::vector<uint8_t> MaskOf(const Scene& scene, char letter) {
  std::vector<uint8_t> mask;
  for (const char here : scene.letters) mask.push_back(here == letter ? 1 : 0);
  return mask;
}

// The side with the larger mean objectness, as the pipeline does it with CLS attention.
absl::StatusOr<std::vector<Region>> Cut(const Scene& scene, RecursiveCutOptions options) {
  options.cut.tau = 0.5;
  OBJECTDINO_ASSIGN_OR_RETURN(const NormalizedCut first,
                              CutGraph(scene.affinity, scene.grid.size(), options.cut));
  return CutRecursively(
      scene.affinity, first.fiedler, scene.objectness, scene.grid,
      [&scene](absl::Span<const double> fiedler, absl::Span<const int> patches) {
        std::vector<float> weights;
        for (const int patch : patches) weights.push_back(scene.objectness[patch]);
        return SplitByWeights(fiedler, weights);
      },
      options);
}

const Scene& TwoObjects() {
  static const auto& scene =
      *new Scene(Draw({"........", ".aaa....", ".aaa.bb.", ".....bb.", "........"}));
  return scene;
}

TEST(CutRecursively, OneRegionAsked_IsThatOfTheFirstCut) {
  const auto cut = Cut(TwoObjects(), {.cut = {}, .max_regions = 1});
  ASSERT_THAT(cut, IsOk());
  ASSERT_THAT(*cut, SizeIs(1));
}

TEST(CutRecursively, TwoObjects_AreFound_AndTheRestStops) {
  const auto cut =
      Cut(TwoObjects(), {.cut = {}, .max_regions = 9, .min_patches = 2, .stop_objectness = 0.5f});
  ASSERT_THAT(cut, IsOk());
  std::vector<std::vector<uint8_t>> masks;
  for (const Region& region : *cut) masks.push_back(region.mask);
  EXPECT_THAT(
      masks, ::testing::UnorderedElementsAre(MaskOf(TwoObjects(), 'a'), MaskOf(TwoObjects(), 'b')));
}

TEST(CutRecursively, RegionsAreDisjoint) {
  const auto cut = Cut(TwoObjects(), {.cut = {}, .max_regions = 9});
  ASSERT_THAT(cut, IsOk());
  std::vector<int> owners(TwoObjects().letters.size(), 0);
  for (const Region& region : *cut) {
    EXPECT_EQ(region.patches, std::count(region.mask.begin(), region.mask.end(), 1));
    for (size_t i = 0; i < owners.size(); ++i) owners[i] += region.mask[i];
  }
  EXPECT_THAT(owners, ::testing::Each(::testing::Le(1)));
}

TEST(CutRecursively, DarkRest_Stops) {
  const auto cut = Cut(TwoObjects(), {.cut = {}, .max_regions = 9, .stop_objectness = 2});
  ASSERT_THAT(cut, IsOk());
  EXPECT_THAT(*cut, SizeIs(1)) << "the first cut's region stays whatever its objectness";
}

// What is left after the first cut is one object: every pair of its patches is linked.
TEST(CutRecursively, CompleteRest_Stops) {
  const Scene scene = Draw({"aabbb", "aabbb"});
  const auto cut = Cut(scene, {.cut = {}, .max_regions = 9});
  ASSERT_THAT(cut, IsOk());
  ASSERT_THAT(*cut, SizeIs(1));
  EXPECT_EQ(cut->front().mask, MaskOf(scene, 'a'));
}

}  // namespace
}  // namespace objectdino
