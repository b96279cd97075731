// SPDX-License-Identifier: Apache-2.0
#include "core/image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/weights/safetensors.h"
#include "tests/reference/resize_reference.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using testing::IsOk;

// PyTorch rounds the scale of each axis to float, which shifts its weights by up to 3e-6 here.
constexpr double kGoldenTolerance = 5e-6;
constexpr double kReferenceTolerance = 5e-7;

Image RandomImage(int height, int width, std::mt19937& random) {
  Image image = {height, width, std::vector<uint8_t>(size_t{3} * height * width)};
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

Image UniformImage(int height, int width, uint8_t value) {
  return {height, width, std::vector<uint8_t>(size_t{3} * height * width, value)};
}

template <typename T>
double LargestDifference(const std::vector<float>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(double{a[i]} - b[i]));
  return largest;
}

// ---- resizing ----

TEST(ResizeAntialiased, GoldenCases_EqualPyTorch) {
  const std::string bytes = testing::ReadRepositoryFile("tests/golden/resize.safetensors");
  const auto table = ParseSafetensors(bytes);
  ASSERT_THAT(table, IsOk());
  int cases = 0;
  for (; table->tensors.contains(absl::StrCat("in_", cases)); ++cases) {
    const TensorView& in = table->tensors.at(absl::StrCat("in_", cases));    // [h, w, 3]
    const TensorView& out = table->tensors.at(absl::StrCat("out_", cases));  // [3, h', w']
    const Image image = {static_cast<int>(in.shape[0]),
                         static_cast<int>(in.shape[1]),
                         {in.bytes.begin(), in.bytes.end()}};
    std::vector<float> expected(out.element_count());
    std::memcpy(expected.data(), out.bytes.data(), out.bytes.size());
    const std::vector<float> resized =
        ResizeAntialiased(image, static_cast<int>(out.shape[1]), static_cast<int>(out.shape[2]));
    EXPECT_LE(LargestDifference(resized, expected), kGoldenTolerance)
        << "case " << cases << ": " << DescribeTensor(in) << " -> " << DescribeTensor(out);
  }
  EXPECT_GE(cases, 10);
}

TEST(ResizeAntialiased, RandomSizes_EqualTheNaiveTwin) {
  constexpr unsigned kSeed = 11;
  std::mt19937 random(kSeed);
  const auto side = [&](int most) { return 1 + static_cast<int>(random() % most); };
  for (int round = 0; round < 300; ++round) {
    const Image image = RandomImage(side(40), side(40), random);
    const int height = side(20), width = side(20);
    EXPECT_LE(LargestDifference(ResizeAntialiased(image, height, width),
                                reference::Resize(image, height, width)),
              kReferenceTolerance)
        << "seed " << kSeed << ", round " << round << ": " << image.height << " x " << image.width
        << " -> " << height << " x " << width;
  }
}

TEST(ResizeAntialiased, SameSize_ChangesNothing) {
  std::mt19937 random(12);
  const Image image = RandomImage(7, 9, random);
  const std::vector<float> resized = ResizeAntialiased(image, 7, 9);
  for (int channel = 0; channel < 3; ++channel) {
    for (int i = 0; i < 63; ++i) {
      ASSERT_FLOAT_EQ(resized[channel * 63 + i], image.rgb[i * 3 + channel] / 255.0F);
    }
  }
}

TEST(ResizeAntialiased, MirroredImage_GivesMirroredResult) {
  std::mt19937 random(13);
  const Image image = RandomImage(11, 30, random);
  Image mirrored = image;
  for (size_t y = 0; y < 11; ++y) {
    for (size_t x = 0; x < 30; ++x) {
      std::copy_n(&image.rgb[(y * 30 + x) * 3], 3, &mirrored.rgb[(y * 30 + 29 - x) * 3]);
    }
  }
  const std::vector<float> a = ResizeAntialiased(image, 5, 8);
  const std::vector<float> b = ResizeAntialiased(mirrored, 5, 8);
  for (int row = 0; row < 3 * 5; ++row) {
    for (int x = 0; x < 8; ++x) ASSERT_NEAR(a[row * 8 + x], b[row * 8 + 7 - x], 1e-6);
  }
}

// ---- the grid ----

TEST(ChoosePatchGrid, Square_IgnoresTheAspectRatio) {
  EXPECT_EQ(ChoosePatchGrid({480, 640}, ResizeMode::kSquare, 224, 14), (PatchGrid{16, 16, 14}));
  EXPECT_EQ(ChoosePatchGrid({9, 4000}, ResizeMode::kSquare, 230, 16), (PatchGrid{14, 14, 16}));
}

TEST(ChoosePatchGrid, Aspect_KeepsTheRatioToTheNearestPatch) {
  EXPECT_EQ(ChoosePatchGrid({480, 640}, ResizeMode::kAspect, 448, 14), (PatchGrid{24, 32, 14}));
  EXPECT_EQ(ChoosePatchGrid({640, 480}, ResizeMode::kAspect, 448, 14), (PatchGrid{32, 24, 14}));
  EXPECT_EQ(ChoosePatchGrid({375, 500}, ResizeMode::kAspect, 224, 16), (PatchGrid{10, 14, 16}));
}

TEST(ChoosePatchGrid, Aspect_HalfRoundsToEven) {
  // The short side is 7.5, 6.5, 0.5 and 1.5 patches.
  EXPECT_EQ(ChoosePatchGrid({480, 640}, ResizeMode::kAspect, 140, 14).rows, 8);
  EXPECT_EQ(ChoosePatchGrid({650, 1000}, ResizeMode::kAspect, 140, 14).rows, 6);
  EXPECT_EQ(ChoosePatchGrid({50, 1000}, ResizeMode::kAspect, 140, 14).rows, 1);
  EXPECT_EQ(ChoosePatchGrid({1000, 150}, ResizeMode::kAspect, 140, 14).cols, 2);
}

TEST(ChoosePatchGrid, ThinImage_HasAtLeastOnePatch) {
  EXPECT_EQ(ChoosePatchGrid({1, 16000}, ResizeMode::kAspect, 518, 14), (PatchGrid{1, 37, 14}));
}

// ---- the input ----

TEST(Preprocess, UniformImage_IsNormalisedWithoutContrast) {
  const PreprocessedImage result =
      Preprocess(UniformImage(33, 21, 128), ResizeMode::kSquare, 28, 14);
  const float expected[3] = {(128 / 255.0F - 0.485F) / 0.229F, (128 / 255.0F - 0.456F) / 0.224F,
                             (128 / 255.0F - 0.406F) / 0.225F};
  constexpr size_t kPlane = 784;  // 28 * 28
  ASSERT_EQ(result.input.size(), 3 * kPlane);
  for (size_t i = 0; i < result.input.size(); ++i) {
    ASSERT_NEAR(result.input[i], expected[i / kPlane], 2e-6) << i;
  }
  EXPECT_NEAR(result.contrast, 0, 1e-6);
}

TEST(Preprocess, Contrast_IsTheWidestChannelAfterResizing) {
  Image image = UniformImage(28, 28, 100);
  image.rgb[1] = 0;  // green
  image.rgb[2] = 50;
  EXPECT_NEAR(Preprocess(image, ResizeMode::kSquare, 28, 14).contrast, 100 / 255.0F, 1e-6);
}

TEST(Preprocess, Aspect_GivesTheGridsSize) {
  std::mt19937 random(14);
  const PreprocessedImage result =
      Preprocess(RandomImage(48, 64, random), ResizeMode::kAspect, 112, 14);
  EXPECT_EQ(result.grid, (PatchGrid{6, 8, 14}));
  EXPECT_EQ(result.input.size(), size_t{3} * 84 * 112);
}

}  // namespace
}  // namespace objectdino
