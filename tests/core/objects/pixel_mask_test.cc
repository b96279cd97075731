// SPDX-License-Identifier: Apache-2.0
#include "core/objects/pixel_mask.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/reference/pixel_mask_reference.h"

namespace objectdino {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Lt;
using Mask = std::vector<uint8_t>;

constexpr uint8_t kRed[3] = {200, 30, 20};
constexpr uint8_t kBlue[3] = {20, 60, 190};

// Red where `inside` says so, else blue, with a little noise.
std::vector<uint8_t> Paint(ImageSize size, const std::function<bool(int y, int x)>& inside,
                           unsigned noise = 1) {
  std::mt19937 engine(7);
  std::vector<uint8_t> rgb;
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        rgb.push_back(static_cast<uint8_t>((inside(y, x) ? kRed : kBlue)[c] + engine() % noise));
      }
    }
  }
  return rgb;
}

std::vector<uint8_t> Noise(ImageSize size, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<uint8_t> rgb(static_cast<size_t>(size.height) * size.width * 3);
  for (uint8_t& byte : rgb) byte = static_cast<uint8_t>(engine() % 256);
  return rgb;
}

Mask MaskWhere(ImageSize size, const std::function<bool(int y, int x)>& inside) {
  Mask mask;
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) mask.push_back(inside(y, x) ? 1 : 0);
  }
  return mask;
}

double Iou(const Mask& a, const Mask& b) {
  double both = 0;
  double either = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    both += a[i] & b[i];
    either += a[i] | b[i];
  }
  return both / either;
}

Mask EdgeAware(const std::vector<uint8_t>& rgb, ImageSize size, const PatchGrid& grid,
               const Mask& object, const Mask& others) {
  return PixelMasker(rgb, size, grid, MaskRefinement::kEdgeAware).Mask(object, others);
}

// The rectangle of patches [row1, row2) x [col1, col2).
Mask Patches(const PatchGrid& grid, int row1, int col1, int row2, int col2) {
  return MaskWhere({grid.rows, grid.cols}, [=](int row, int col) {
    return row >= row1 && row < row2 && col >= col1 && col < col2;
  });
}

// Two objects of blobs on a random grid over noise or two colours; none of their patches common.
struct Scene {
  ImageSize size;
  PatchGrid grid;
  std::vector<uint8_t> rgb;
  Mask first;
  Mask second;
};

Scene RandomScene(unsigned seed) {
  std::mt19937 engine(seed);
  Scene scene;
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(engine() % static_cast<unsigned>(high - low + 1));
  };
  scene.grid = {between(3, 7), between(3, 7), 14};
  scene.size = {scene.grid.rows * between(4, 7), scene.grid.cols * between(4, 7)};
  const int centre_y = between(0, scene.size.height);
  const int centre_x = between(0, scene.size.width);
  const int radius = between(6, 20);
  scene.rgb =
      seed % 4 == 0
          ? Noise(scene.size, seed)
          : Paint(
                scene.size,
                [=](int y, int x) { return std::hypot(y - centre_y, x - centre_x) < radius; },
                seed % 4 == 1 ? 50 : 4);
  for (int patch = 0; patch < scene.grid.size(); ++patch) {
    const int row = patch / scene.grid.cols;
    const int col = patch % scene.grid.cols;
    const double y = (row + 0.5) * scene.size.height / scene.grid.rows;
    const double x = (col + 0.5) * scene.size.width / scene.grid.cols;
    const bool inside = std::hypot(y - centre_y, x - centre_x) < radius + 2;
    scene.first.push_back(inside || engine() % 12 == 0 ? 1 : 0);
    scene.second.push_back(scene.first.back() == 0 && engine() % 5 == 0 ? 1 : 0);
  }
  return scene;
}

Mask Mirror(const Mask& values, ImageSize size, bool vertically, int channels = 1) {
  Mask out(values.size());
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const int from =
          vertically ? (size.height - 1 - y) * size.width + x : y * size.width + size.width - 1 - x;
      std::copy_n(values.begin() + from * channels, channels,
                  out.begin() + (y * size.width + x) * channels);
    }
  }
  return out;
}

TEST(UpsampleMask, PixelBelongsToThePatchOfItsCentre) {
  // 5 pixels on 2 patches: centres 0.5 .. 4.5, the border lies at 2.5, where the second patch
  // starts.
  const PatchGrid grid{1, 2, 14};
  EXPECT_THAT(UpsampleMask({0, 1}, grid, {1, 5}), ElementsAre(0, 0, 1, 1, 1));
}

TEST(UpsampleMask, RowsAndColumnsAreNotSwapped) {
  const PatchGrid grid{2, 1, 14};
  EXPECT_THAT(UpsampleMask({0, 1}, grid, {4, 2}), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
}

TEST(UpsampleMask, ImageSmallerThanTheGrid_TakesThePatchOfTheCentre) {
  const PatchGrid grid{3, 3, 14};
  EXPECT_THAT(UpsampleMask({0, 0, 0, 0, 1, 0, 0, 0, 0}, grid, {1, 1}), ElementsAre(1));
}

TEST(PixelMasker, NoRefinement_IsTheUpsampledMask) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Scene s = RandomScene(seed);
    const PixelMasker masker(s.rgb, s.size, s.grid, MaskRefinement::kNone);
    EXPECT_EQ(masker.Mask(s.first, s.second), UpsampleMask(s.first, s.grid, s.size));
  }
}

TEST(PixelMasker, RandomScenes_EqualTheDefinition) {
  int changed = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Scene s = RandomScene(seed);
    const Mask mask = EdgeAware(s.rgb, s.size, s.grid, s.first, s.second);
    EXPECT_EQ(mask, reference::EdgeAwareMask(s.rgb, s.size, s.first, s.second, s.grid))
        << "seed " << seed;
    if (mask != UpsampleMask(s.first, s.grid, s.size)) ++changed;
  }
  EXPECT_GT(changed, 20) << "the scenes test nothing";
}

TEST(PixelMasker, SharpColourEdge_IsTheBorder) {
  const ImageSize size = {120, 160};
  const PatchGrid grid = {12, 16, 14};
  const auto disc = [](int y, int x) { return std::hypot(y - 63, x - 77) < 34; };
  const Mask truth = MaskWhere(size, disc);
  const Mask object =
      MaskWhere({12, 16}, [&](int row, int col) { return disc(row * 10 + 5, col * 10 + 5); });
  const Mask mask = EdgeAware(Paint(size, disc, 6), size, grid, object, Mask(192, 0));
  EXPECT_GT(Iou(mask, truth), 0.98);
  EXPECT_LT(Iou(UpsampleMask(object, grid, size), truth), 0.95);
}

TEST(PixelMasker, LargeImage_EqualsTheSmallOneEnlarged) {
  const PatchGrid grid = {12, 16, 14};
  const auto mask_at = [&](int scale) {
    const ImageSize size = {120 * scale, 160 * scale};
    const auto disc = [=](int y, int x) {
      return std::hypot(y + 0.5 - 63 * scale, x + 0.5 - 77 * scale) < 34 * scale;
    };
    return EdgeAware(Paint(size, disc), size, grid, Patches(grid, 3, 4, 10, 12), Mask(192, 0));
  };
  const Mask small = mask_at(2);  // 320 pixels wide: nothing is shrunk
  const Mask large = mask_at(6);
  Mask shrunk;
  for (int y = 0; y < 240; ++y) {
    for (int x = 0; x < 320; ++x) shrunk.push_back(large[(y * 3 + 1) * 960 + x * 3 + 1]);
  }
  EXPECT_GT(Iou(shrunk, small), 0.98);
}

TEST(PixelMasker, FlatImage_LeavesTheMask) {
  const ImageSize size = {60, 80};
  const PatchGrid grid = {6, 8, 14};
  const Mask object = Patches(grid, 2, 3, 4, 6);
  for (const uint8_t value : {0, 128, 255}) {
    EXPECT_EQ(EdgeAware(Mask(60 * 80 * 3, value), size, grid, object, Mask(48, 0)),
              UpsampleMask(object, grid, size));
  }
}

TEST(PixelMasker, MirroredScene_HasTheMirroredMask) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    const Scene s = RandomScene(seed);
    const ImageSize grid = {s.grid.rows, s.grid.cols};
    const Mask mask = EdgeAware(s.rgb, s.size, s.grid, s.first, s.second);
    for (const bool vertically : {false, true}) {
      EXPECT_EQ(EdgeAware(Mirror(s.rgb, s.size, vertically, 3), s.size, s.grid,
                          Mirror(s.first, grid, vertically), Mirror(s.second, grid, vertically)),
                Mirror(mask, s.size, vertically))
          << "seed " << seed << (vertically ? ", upside down" : ", left to right");
    }
  }
}

TEST(PixelMasker, DisagreementWithThePatches_KeepsThem) {
  // One patch in noise: its windows hold eight times as much outside, and nothing remains of it.
  const ImageSize size = {90, 90};
  const PatchGrid grid = {9, 9, 14};
  const Mask object = Patches(grid, 4, 4, 5, 5);
  EXPECT_EQ(EdgeAware(Noise(size, 1), size, grid, object, Mask(81, 0)),
            UpsampleMask(object, grid, size));
}

TEST(PixelMasker, ObjectsWithoutCommonPatches_HaveNoCommonPixels) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Scene s = RandomScene(seed);
    const Mask first = EdgeAware(s.rgb, s.size, s.grid, s.first, s.second);
    const Mask second = EdgeAware(s.rgb, s.size, s.grid, s.second, s.first);
    for (size_t i = 0; i < first.size(); ++i) {
      ASSERT_FALSE(first[i] != 0 && second[i] != 0) << "seed " << seed << ", pixel " << i;
    }
  }
}

TEST(PixelMasker, ObjectInsideAnother_KeepsItsPatches) {
  const ImageSize size = {80, 80};
  const PatchGrid grid = {8, 8, 14};
  const auto square = [](int y, int x) { return y >= 30 && y < 50 && x >= 30 && x < 50; };
  const Mask object = Patches(grid, 3, 3, 5, 5);
  EXPECT_GT(Iou(EdgeAware(Paint(size, square), size, grid, object, Patches(grid, 1, 1, 7, 7)),
                MaskWhere(size, square)),
            0.98);
}

TEST(PixelMasker, SpotOfTheOtherColour_MakesNoHoleAndNoSpeck) {
  const ImageSize size = {90, 90};
  const PatchGrid grid = {9, 9, 14};
  const auto square = [](int y, int x) { return y >= 30 && y < 60 && x >= 30 && x < 60; };
  const auto spots = [&](int y, int x) {
    const bool spot = std::hypot(y - 35, x - 45) < 3 || std::hypot(y - 25, x - 45) < 3;
    return square(y, x) != spot;
  };
  const Mask mask =
      EdgeAware(Paint(size, spots), size, grid, Patches(grid, 3, 3, 6, 6), Mask(81, 0));
  EXPECT_EQ(mask[35 * 90 + 45], 1) << "a hole";
  EXPECT_EQ(mask[25 * 90 + 45], 0) << "a speck";
}

TEST(PixelMasker, OddShapes_GiveMasksOfTheirSize) {
  const ImageSize sizes[] = {{1, 1}, {1, 2}, {1, 700}, {700, 1}, {2, 3}, {3000, 5}, {7, 2500}};
  const PatchGrid grids[] = {{16, 16, 14}, {1, 16, 14}, {16, 1, 14}, {1, 1, 14}};
  for (const ImageSize& size : sizes) {
    for (const PatchGrid& grid : grids) {
      const Mask object = Patches(grid, 0, 0, (grid.rows + 1) / 2, (grid.cols + 1) / 2);
      const Mask mask = EdgeAware(Noise(size, 5), size, grid, object, Mask(object.size(), 0));
      EXPECT_EQ(mask.size(), static_cast<size_t>(size.height) * size.width);
      EXPECT_THAT(mask, Each(Lt(2)));
      const Mask exact = UpsampleMask(object, grid, size);
      if (std::count(exact.begin(), exact.end(), 1) == 0) {  // its patches hold no pixel's centre
        EXPECT_EQ(mask, exact);
        continue;
      }
      EXPECT_GE(Iou(mask, exact), 0.45)
          << size.height << " x " << size.width << " on " << grid.rows << " x " << grid.cols;
    }
  }
}

TEST(PixelMasker, SameInput_GivesTheSameMask) {
  const Scene s = RandomScene(4);
  const PixelMasker masker(s.rgb, s.size, s.grid, MaskRefinement::kEdgeAware);
  const Mask first = masker.Mask(s.first, s.second);
  masker.Mask(s.second, s.first);
  EXPECT_EQ(masker.Mask(s.first, s.second), first);
}

}  // namespace
}  // namespace objectdino
