// SPDX-License-Identifier: Apache-2.0
#include "core/objects/region_check.h"

#include <cmath>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "core/math/random_state.h"
#include "tests/reference/region_check_reference.h"

namespace objectdino {
namespace {

struct Maps {
  PatchGrid grid;
  ImageSize image;
  std::vector<float> objectness;
  std::vector<float> attention;

  double Score(const Box& box) const {
    return RegionCheck(objectness, attention).Read(BoxFootprint(box, grid, image)).rule();
  }
};

TEST(RegionCheck, GoldenScores) {
  std::ifstream file(OBJECTDINO_SOURCE_DIR "/tests/golden/box_check.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  int compared = 0;
  for (const auto& entry : golden.at("cases")) {
    Maps maps;
    maps.image = {entry.at("size").at(0), entry.at("size").at(1)};
    maps.grid.rows = static_cast<int>(entry.at("objectness").size());
    maps.grid.cols = static_cast<int>(entry.at("objectness").at(0).size());
    for (const auto& [name, map] :
         {std::pair("objectness", &maps.objectness), std::pair("attention", &maps.attention)}) {
      for (const auto& row : entry.at(name)) map->insert(map->end(), row.begin(), row.end());
    }
    for (size_t i = 0; i < entry.at("boxes").size(); ++i, ++compared) {
      const auto& b = entry.at("boxes").at(i);
      EXPECT_NEAR(maps.Score({b.at(0), b.at(1), b.at(2), b.at(3)}), entry.at("scores").at(i), 1e-5)
          << "box " << b << " on " << maps.grid.rows << " x " << maps.grid.cols;
    }
  }
  EXPECT_GE(compared, 50);
}

TEST(RegionCheck, EqualsTheReference_OnRandomMaps) {
  RandomState random(11);
  const auto uniform = [&random](double high) {
    return static_cast<float>(random.NextDouble() * high);
  };
  for (int trial = 0; trial < 300; ++trial) {
    Maps maps;
    maps.grid = {1 + static_cast<int>(uniform(12)), 1 + static_cast<int>(uniform(12)), 14};
    maps.image = {20 + static_cast<int>(uniform(300)), 20 + static_cast<int>(uniform(300))};
    for (int i = 0; i < maps.grid.size(); ++i) {
      maps.objectness.push_back(uniform(1));
      maps.attention.push_back(uniform(0.01));
    }
    const float x = uniform(static_cast<double>(maps.image.width) - 10);
    const float y = uniform(static_cast<double>(maps.image.height) - 10);
    const Box box{x, y, x + 1 + uniform(maps.image.width - x - 1.0),
                  y + 1 + uniform(maps.image.height - y - 1.0)};
    const RegionReading expected =
        reference::ReadBox(maps.objectness, maps.attention, maps.grid, maps.image, box);
    const RegionReading actual =
        RegionCheck(maps.objectness, maps.attention).Read(BoxFootprint(box, maps.grid, maps.image));
    EXPECT_NEAR(actual.objectness_inside, expected.objectness_inside, 1e-6) << trial;
    EXPECT_NEAR(actual.objectness_around, expected.objectness_around, 1e-6) << trial;
    EXPECT_NEAR(actual.attention_inside, expected.attention_inside, 1e-6) << trial;
    EXPECT_NEAR(actual.attention_outside, expected.attention_outside, 1e-6) << trial;
  }
}

// A bright block of patches at rows and columns 1 .. 2 of 6 x 8, in 10-pixel patches.
Maps BrightBlock() {
  Maps maps;
  maps.grid = {6, 8, 14};
  maps.image = {60, 80};
  maps.objectness.assign(48, 0.1F);
  maps.attention.assign(48, 0.01F);
  for (const int i : {9, 10, 17, 18}) {
    maps.objectness[i] = 0.9F;
    maps.attention[i] = 0.1F;
  }
  return maps;
}

TEST(RegionCheck, BoxOnTheObject_ScoresHighest) {
  const Maps maps = BrightBlock();
  EXPECT_NEAR(maps.Score({10, 10, 30, 30}), 1.8, 1e-6) << "0.9 - 0.1, and 1 - 0";
  EXPECT_LT(maps.Score({50, 30, 70, 50}), 0);
  EXPECT_LT(maps.Score({15, 15, 35, 35}), 1.8);
  EXPECT_GT(maps.Score({15, 15, 35, 35}), maps.Score({25, 25, 45, 45}));
  EXPECT_LT(maps.Score({10, 30, 30, 50}), kLooksLikeObject);
  EXPECT_GT(maps.Score({10, 10, 30, 30}), kLooksLikeObject);
}

TEST(RegionCheck, PatchesCountByTheShareThatIsCovered) {
  const Maps maps = BrightBlock();
  // Half on the block, half beside it: n inside is 0.5.
  const double half = maps.Score({20, 10, 40, 30});
  const double inside_n = 0.5;
  // The ring of 6 pixels each way holds 6 x 20 pixels of the block among 32 * 32 - 400.
  const double ring_n = 0.1 + 0.8 * (6 * 20) / (32 * 32 - 400);
  const double outside_l = (400.0 - 200) / (60 * 80 - 400);
  EXPECT_NEAR(half, inside_n - ring_n + 0.5 - outside_l, 1e-6);
}

TEST(RegionCheck, WholeImage_ComparesWithTheMean) {
  const Maps maps = BrightBlock();
  EXPECT_NEAR(maps.Score({0, 0, 80, 60}), 4.0 / 48, 1e-6) << "no ring, nothing outside";
}

TEST(RegionCheck, SliverOfABox_ReadsThePatchThatItLiesIn) {
  const Maps maps = BrightBlock();
  const float x = 15;
  const float y = 15;
  const Box sliver{x, y, std::nextafter(x, 16.0F), std::nextafter(y, 16.0F)};
  const RegionReading reading = RegionCheck(maps.objectness, maps.attention)
                                    .Read(BoxFootprint(sliver, maps.grid, maps.image));
  EXPECT_NEAR(reading.objectness_inside, 0.9, 1e-6);
  EXPECT_NEAR(reading.objectness_around, 0.9, 1e-6);
  EXPECT_NEAR(reading.attention_inside, 1, 1e-6);
}

TEST(RegionCheck, BoxOffTheImage_ReadsNothingInside) {
  const Maps maps = BrightBlock();
  const RegionReading reading = RegionCheck(maps.objectness, maps.attention)
                                    .Read(BoxFootprint({90, 10, 95, 20}, maps.grid, maps.image));
  EXPECT_EQ(reading.objectness_inside, 0);
  EXPECT_EQ(reading.attention_inside, 0);
}

TEST(ScoreOfRule, RisesFromZeroToOneThroughTheThreshold) {
  EXPECT_DOUBLE_EQ(ScoreOfRule(kLooksLikeObject), 0.5);
  EXPECT_NEAR(ScoreOfRule(kLooksLikeObject + 0.125), 1 / (1 + std::exp(-1.0)), 1e-12);
  double last = 0;
  for (double rule = -2; rule <= 2; rule += 0.05) {
    EXPECT_GT(static_cast<float>(ScoreOfRule(rule)), static_cast<float>(last)) << rule;
    last = ScoreOfRule(rule);
  }
  EXPECT_LT(last, 1);
}

TEST(RegionCheck, FlatMaps_ScoreZero) {
  Maps maps = BrightBlock();
  maps.objectness.assign(48, 0.5F);
  maps.attention.assign(48, 0.02F);
  EXPECT_NEAR(maps.Score({10, 10, 30, 30}), 0, 1e-9);
}

}  // namespace
}  // namespace objectdino
