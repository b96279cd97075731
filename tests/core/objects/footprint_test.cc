// SPDX-License-Identifier: Apache-2.0
#include "core/objects/footprint.h"

#include <algorithm>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/math/random_state.h"
#include "core/objects/region_check.h"
#include "tests/reference/region_check_reference.h"

namespace objectdino {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

double Sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// The runs of ones down the columns of a [height, width] mask.
std::optional<MaskShares> SharesOf(const std::vector<uint8_t>& mask, const PatchGrid& grid,
                                   ImageSize image) {
  MaskBuilder builder(grid, image);
  const auto at = [&](int64_t i) {
    return mask[static_cast<size_t>(i % image.height * image.width + i / image.height)] != 0;
  };
  const int64_t pixels = int64_t{image.height} * image.width;
  for (int64_t i = 0; i < pixels; ++i) {
    const int64_t begin = i;
    while (i < pixels && at(i)) ++i;
    if (i > begin) builder.AddRun(begin, i);
  }
  return builder.Build();
}

std::vector<uint8_t> MaskOfBox(const Box& box, ImageSize image) {
  std::vector<uint8_t> mask;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const bool inside = static_cast<float>(x) >= box.x1 && static_cast<float>(x) < box.x2 &&
                          static_cast<float>(y) >= box.y1 && static_cast<float>(y) < box.y2;
      mask.push_back(inside ? 1 : 0);
    }
  }
  return mask;
}

TEST(BoxFootprint, WholeImage_CoversAllAndHasNothingAround) {
  const Footprint region = BoxFootprint({0, 0, 101, 67}, {5, 7, 14}, {67, 101});
  EXPECT_NEAR(Sum(region.inside), 35, 1e-9);
  EXPECT_THAT(region.around, Each(0));
}

TEST(BoxFootprint, Ring_ReachesThreeTenthsOfTheSizeAndEndsAtTheEdge) {
  // Patches of 10 x 10 pixels. Grown to x 4 .. 36, y -3 .. 13, of which y 0 .. 13 is left.
  const Footprint region = BoxFootprint({10, 0, 30, 10}, {4, 4, 14}, {40, 40});
  EXPECT_NEAR(Sum(region.inside), 2, 1e-9);
  EXPECT_NEAR(Sum(region.around), (32 * 13 - 200) / 100.0, 1e-9);
}

TEST(PatchFootprint, ComparesWithAllOthers) {
  const Footprint region = PatchFootprint(4, {2, 3, 14}, {20, 60});
  EXPECT_THAT(region.inside, ElementsAre(0, 0, 0, 0, 1, 0));
  EXPECT_THAT(region.around, ElementsAre(1, 1, 1, 1, 0, 1));
  EXPECT_EQ(region.box, (Box{20, 10, 40, 20}));
}

TEST(PatchAt, FindsThePatch_AndKeepsEdgesInTheGrid) {
  const PatchGrid grid{2, 3, 14};
  const ImageSize image{20, 60};
  EXPECT_EQ(PatchAt({0, 0}, grid, image), 0);
  EXPECT_EQ(PatchAt({19.9F, 9.9F}, grid, image), 0);
  EXPECT_EQ(PatchAt({20, 10}, grid, image), 4);
  EXPECT_EQ(PatchAt({60, 20}, grid, image), 5) << "the far corner";
  EXPECT_EQ(PatchAt({-5, 500}, grid, image), 3);
}

TEST(MaskBuilder, NoPixel_IsNoMask) {
  MaskBuilder builder({2, 3, 14}, {20, 60});
  builder.AddRun(7, 7);
  EXPECT_FALSE(builder.Build().has_value());
}

TEST(MaskBuilder, EveryPixel_CoversEveryPatchExactly) {
  for (const ImageSize image : {ImageSize{37, 53}, ImageSize{480, 640}, ImageSize{2, 3}}) {
    const PatchGrid grid{16, 15, 14};
    MaskBuilder builder(grid, image);
    builder.AddRun(0, int64_t{image.height} * image.width);
    const auto mask = builder.Build();
    ASSERT_TRUE(mask.has_value());
    EXPECT_THAT(mask->inside, Each(1.0F)) << image.height;
    EXPECT_EQ(mask->box,
              (Box{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)}));
    EXPECT_THAT(MaskFootprint(*mask, grid, image).around, Each(0));
  }
}

TEST(MaskFootprint, MaskOfABox_IsTheBoxsFootprint) {
  RandomState random(5);
  const auto below = [&random](int high) { return static_cast<int>(random.NextDouble() * high); };
  for (int trial = 0; trial < 100; ++trial) {
    const PatchGrid grid{1 + below(9), 1 + below(9), 14};
    const ImageSize image{1 + below(50), 1 + below(50)};
    const int x = below(image.width);
    const int y = below(image.height);
    const Box box{static_cast<float>(x), static_cast<float>(y),
                  static_cast<float>(x + 1 + below(image.width - x)),
                  static_cast<float>(y + 1 + below(image.height - y))};
    const auto mask = SharesOf(MaskOfBox(box, image), grid, image);
    ASSERT_TRUE(mask.has_value());
    EXPECT_EQ(mask->box, box);
    const Footprint of_mask = MaskFootprint(*mask, grid, image);
    const Footprint of_box = BoxFootprint(box, grid, image);
    for (int i = 0; i < grid.size(); ++i) {
      EXPECT_NEAR(of_mask.inside[i], of_box.inside[i], 1e-6) << trial;
      EXPECT_NEAR(of_mask.around[i], of_box.around[i], 1e-6) << trial;
    }
  }
}

TEST(MaskFootprint, RandomMasks_ReadAsTheReference) {
  RandomState random(6);
  const auto below = [&random](int high) { return static_cast<int>(random.NextDouble() * high); };
  int compared = 0;
  for (int trial = 0; trial < 150; ++trial) {
    const PatchGrid grid{1 + below(7), 1 + below(7), 14};
    const ImageSize image{1 + below(30), 1 + below(30)};
    std::vector<float> objectness;
    std::vector<float> attention;
    for (int i = 0; i < grid.size(); ++i) {
      objectness.push_back(static_cast<float>(random.NextDouble()));
      attention.push_back(static_cast<float>(random.NextDouble() * 0.01));
    }
    const double density = random.NextDouble();
    std::vector<uint8_t> pixels;
    for (int i = 0; i < image.height * image.width; ++i) {
      pixels.push_back(random.NextDouble() < density ? 1 : 0);
    }
    const auto mask = SharesOf(pixels, grid, image);
    ASSERT_EQ(mask.has_value(), std::count(pixels.begin(), pixels.end(), 1) > 0);
    if (!mask.has_value()) continue;
    ++compared;
    const RegionReading actual =
        RegionCheck(objectness, attention).Read(MaskFootprint(*mask, grid, image));
    const RegionReading expected = reference::ReadMask(objectness, attention, grid, image, pixels);
    EXPECT_NEAR(actual.objectness_inside, expected.objectness_inside, 1e-5) << trial;
    EXPECT_NEAR(actual.objectness_around, expected.objectness_around, 1e-5) << trial;
    EXPECT_NEAR(actual.attention_inside, expected.attention_inside, 1e-5) << trial;
    EXPECT_NEAR(actual.attention_outside, expected.attention_outside, 1e-5) << trial;
  }
  EXPECT_GE(compared, 100);
}

}  // namespace
}  // namespace objectdino
