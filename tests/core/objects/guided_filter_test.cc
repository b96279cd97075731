// SPDX-License-Identifier: Apache-2.0
#include "core/objects/guided_filter.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "tests/reference/guided_filter_reference.h"

namespace objectdino {
namespace {

struct Picture {
  ImageSize size;
  std::vector<uint8_t> rgb;
  std::vector<float> map;
};

// Colours of noise on two flat halves, and a map of blocks.
Picture RandomPicture(unsigned seed, int height, int width) {
  std::mt19937 engine(seed);
  Picture picture{{height, width}, {}, {}};
  const int noise = seed % 2 == 0 ? 256 : 8;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int side = 2 * x > width ? 100 : 0;
      for (int c = 0; c < 3; ++c) {
        picture.rgb.push_back(static_cast<uint8_t>(std::min<int>(255, side + engine() % noise)));
      }
      picture.map.push_back((x / 4 + y / 3) % 2 == 0 ? 1.0F : 0.0F);
    }
  }
  return picture;
}

TEST(GuidedFilter, RandomPictures_EqualTheDefinition) {
  const struct {
    int height, width;
    GuidedFilter::Radius radius;
  } cases[] = {{20, 30, {2, 3}}, {17, 9, {4, 1}}, {1, 40, {1, 5}}, {40, 1, {5, 2}},
               {3, 2, {7, 9}},   {1, 1, {1, 1}},  {12, 12, {0, 0}}};
  unsigned seed = 0;
  for (const auto& c : cases) {
    const Picture p = RandomPicture(++seed, c.height, c.width);
    const auto expected = reference::GuidedFilter(p.rgb, p.size, c.radius.rows, c.radius.cols,
                                                  kGuidedFilterRidge, p.map);
    const auto result = GuidedFilter(p.rgb, p.size, c.radius).Apply(p.map);
    ASSERT_EQ(result.size(), expected.size());
    for (size_t i = 0; i < result.size(); ++i) {
      ASSERT_NEAR(result[i], expected[i], 1e-5)
          << c.height << " x " << c.width << ", pixel " << i << ", seed " << seed;
    }
  }
}

TEST(GuidedFilter, ConstantMap_StaysAsItIs) {
  const Picture p = RandomPicture(3, 15, 25);
  const GuidedFilter filter(p.rgb, p.size, {3, 3});
  for (const float value : filter.Apply(std::vector<float>(p.map.size(), 0.75F))) {
    ASSERT_NEAR(value, 0.75F, 1e-6);
  }
}

TEST(GuidedFilter, FlatImage_BlursTwice) {
  const ImageSize size = {1, 7};
  const GuidedFilter filter(std::vector<uint8_t>(7 * 3, 9), size, {0, 1});
  const std::vector<float> result = filter.Apply(std::vector<float>{0, 0, 0, 9, 0, 0, 0});
  const std::vector<float> expected = {0, 1, 2, 3, 2, 1, 0};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(result[i], expected[i], 1e-5);
}

TEST(GuidedFilter, MisplacedBorder_MovesToTheEdge) {
  // Black up to pixel 9, white from pixel 10; the map's border lies two pixels off.
  const ImageSize size = {1, 20};
  std::vector<uint8_t> rgb(20 * 3, 0);
  std::fill(rgb.begin() + 10 * 3, rgb.end(), 255);
  std::vector<float> map(20, 0);
  std::fill(map.begin() + 12, map.end(), 1.0F);
  const std::vector<float> result = GuidedFilter(rgb, size, {0, 5}).Apply(map);
  for (int x = 0; x < 20; ++x) EXPECT_EQ(result[x] > 0.5F, x >= 10) << x << ": " << result[x];
}

}  // namespace
}  // namespace objectdino
