// SPDX-License-Identifier: Apache-2.0
#include "core/image/decode.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/files.h"
#include "tests/support/image_bytes.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::ReadRepositoryFile;
using testing::StatusIs;

std::string Data(const std::string& name) { return ReadRepositoryFile("tests/data/" + name); }

Image Decoded(const std::string& bytes) {
  auto decoded = DecodeImage(bytes, {});
  EXPECT_THAT(decoded, IsOk());
  return decoded.ok() ? decoded->image : Image{};
}

// The largest difference of a value; 256 where the sizes differ.
int Difference(const Image& a, const Image& b) {
  if (!(a.size() == b.size()) || a.rgb.size() != b.rgb.size() || a.rgb.empty()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(int{a.rgb[i]} - int{b.rgb[i]}));
  }
  return largest;
}

// ---- pixels ----

TEST(DecodeImage, OnePixel_IsInRgbOrder) {
  const Image image = Decoded(Data("one_pixel.png"));
  EXPECT_EQ(image.size(), (ImageSize{1, 1}));
  EXPECT_THAT(image.rgb, ElementsAre(200, 100, 50));
}

TEST(DecodeImage, SameSceneInOtherEncodings_IsEqual) {
  const Image scene = Decoded(Data("png8.png"));
  EXPECT_EQ(scene.size(), (ImageSize{48, 64}));
  EXPECT_EQ(Difference(Decoded(Data("png16.png")), scene), 0) << "the high byte is kept";
  EXPECT_EQ(Difference(Decoded(Data("rgba.png")), scene), 0) << "alpha is dropped, not blended";
  EXPECT_EQ(Difference(Decoded(Data("still.webp")), scene), 0);
}

TEST(DecodeImage, Palette_IsLookedUpAndItsAlphaDropped) {
  EXPECT_EQ(Difference(Decoded(Data("palette.png")), Decoded(Data("palette_alpha.png"))), 0);
}

TEST(DecodeImage, Gray_HasThreeEqualChannels) {
  const Image gray = Decoded(Data("gray.png"));
  for (size_t i = 0; i < gray.rgb.size(); i += 3) {
    ASSERT_EQ(gray.rgb[i], gray.rgb[i + 1]);
    ASSERT_EQ(gray.rgb[i], gray.rgb[i + 2]);
  }
  EXPECT_EQ(Difference(Decoded(Data("gray16.png")), gray), 0);
}

TEST(DecodeImage, AdobeCmyk_IsWithinAFewLevelsOfItsRgb) {
  EXPECT_LE(Difference(Decoded(Data("cmyk.jpg")), Decoded(Data("cmyk_rgb.png"))), 3);
}

TEST(DecodeImage, TransparentWebp_DropsAlpha) {
  const std::string still = Data("still.webp");
  EXPECT_EQ(
      Difference(Decoded(testing::WebpFile(testing::WebpExtended(48, 64, 0x10) + still.substr(12))),
                 Decoded(still)),
      0);
}

// ---- orientation ----

TEST(DecodeImage, EveryExifOrientation_ShowsTheSameUprightScene) {
  const Image upright = Decoded(ReadRepositoryFile("tests/golden/exif/upright.png"));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto decoded = DecodeImage(
        ReadRepositoryFile(absl::StrCat("tests/golden/exif/orientation_", orientation, ".jpg")),
        {});
    ASSERT_THAT(decoded, IsOk());
    EXPECT_EQ(decoded->applied_orientation, orientation);
    EXPECT_LE(Difference(decoded->image, upright), 3) << "orientation " << orientation;
  }
}

TEST(DecodeImage, OrientationNotApplied_IsAsStored) {
  const std::string bytes = ReadRepositoryFile("tests/golden/exif/orientation_6.jpg");
  const auto decoded = DecodeImage(bytes, {.apply_orientation = false});
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->applied_orientation, 1);
  EXPECT_EQ(decoded->image.size(), ReadImageHeader(bytes)->stored_size);
}

// TIFF 6.0 says where the stored row 0 and column 0 lie in the upright image.
TEST(ApplyExifOrientation, EveryOrientation_PutsRowsAndColumnsWhereTiffSays) {
  const struct {
    bool rows_across;  // a stored row is an upright column
    bool rows_from_far_end, columns_from_far_end;
  } rules[] = {{false, false, false}, {false, false, true}, {false, true, true},
               {false, true, false},  {true, false, false}, {true, true, false},
               {true, true, true},    {true, false, true}};
  const Image stored = {2, 3, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto& rule = rules[orientation - 1];
    const Image upright = ApplyExifOrientation(stored, orientation);
    EXPECT_EQ(upright.size(), rule.rows_across ? (ImageSize{3, 2}) : (ImageSize{2, 3}));
    for (int row = 0; row < 2; ++row) {
      for (int col = 0; col < 3; ++col) {
        const int along_rows = rule.rows_from_far_end ? 1 - row : row;
        const int along_columns = rule.columns_from_far_end ? 2 - col : col;
        const int y = rule.rows_across ? along_columns : along_rows;
        const int x = rule.rows_across ? along_rows : along_columns;
        for (int channel = 0; channel < 3; ++channel) {
          EXPECT_EQ(upright.rgb[(y * upright.width + x) * 3 + channel],
                    stored.rgb[(row * 3 + col) * 3 + channel])
              << "orientation " << orientation << ", row " << row << ", column " << col;
        }
      }
    }
  }
}

TEST(ApplyExifOrientation, UnknownOrientation_ChangesNothing) {
  const Image stored = {1, 2, {1, 2, 3, 4, 5, 6}};
  for (const int orientation : {-1, 0, 9}) {
    EXPECT_EQ(Difference(ApplyExifOrientation(stored, orientation), stored), 0) << orientation;
  }
}

// ---- limits ----

// The most memory this process has had, KiB.
int64_t PeakMemoryKib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib;
  }
  ADD_FAILURE() << "no VmHWM";
  return 0;
}

TEST(DecodeImage, Bomb_IsRefusedWithoutPixelMemory) {
  const std::string bomb = Data("bomb_20000x20000_1bit.png");
  const int64_t before = PeakMemoryKib();
  const auto decoded = DecodeImage(bomb, {});
  EXPECT_THAT(decoded,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "image is 20000 x 20000 pixels (height x width), the limit is 50000000 "
                       "pixels"));
  EXPECT_LT(PeakMemoryKib() - before, 8192);  // its pixels are 1.2 GB, 50 MB at one bit each
}

TEST(DecodeImage, PackedTexts_AreNotUnpacked) {
  const std::string one = Data("packed_text.png");  // 7.9 MB of text in 7.7 KB, behind IHDR
  constexpr size_t kAfterIhdr = 33;
  const size_t size = one.find("IDAT") - 4 - kAfterIhdr;
  std::string texts;
  for (int i = 0; i < 200; ++i) texts += one.substr(kAfterIhdr, size);
  const std::clock_t before = std::clock();
  const Image image = Decoded(std::string(one).insert(kAfterIhdr, texts));
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 1);  // libpng: seven
  EXPECT_THAT(image.rgb, ElementsAre(200, 100, 50));
}

TEST(DecodeImage, UnknownCriticalPngChunk_IsRefused) {
  std::string bytes = Data("png8.png");
  bytes.insert(33, std::string("\0\0\0\0ABCD\xdb\x17\x20\xa5", 12));  // 33: behind IHDR
  EXPECT_THAT(DecodeImage(bytes, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not decode")));
}

TEST(DecodeImage, LimitPassed_CarriesThePayload) {
  const auto decoded = DecodeImage(Data("png8.png"), {.max_pixels = 3071});
  ASSERT_FALSE(decoded.ok());
  EXPECT_EQ(decoded.status().GetPayload(kImageTooLargePayload), absl::Cord("3071"));
}

TEST(DecodeImage, OtherErrors_CarryNoPayload) {
  EXPECT_EQ(DecodeImage(Data("text.jpg"), {}).status().GetPayload(kImageTooLargePayload),
            absl::nullopt);
}

TEST(DecodeImage, SideOverTheLimit_IsRefused) {
  const auto decoded = DecodeImage(Data("png8.png"), {.max_dimension = 63});
  EXPECT_THAT(decoded, StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("48 x 64 pixels (height x width), the limit is 63 "
                                          "pixels a side")));
  EXPECT_TRUE(decoded.status().GetPayload(kImageTooLargePayload).has_value());
}

TEST(DecodeImage, ExactlyAtTheLimits_IsDecoded) {
  EXPECT_THAT(DecodeImage(Data("png8.png"), {.max_pixels = 3072, .max_dimension = 64}), IsOk());
}

// ---- bad input ----

TEST(DecodeImage, TruncatedJpeg_IsRefused) {
  EXPECT_THAT(DecodeImage(Data("truncated.jpg"), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "this JPEG file is cut short"));
}

TEST(DecodeImage, TruncatedJpegAllowed_GivesTheFirstRows) {
  const auto decoded = DecodeImage(Data("truncated.jpg"), {.allow_truncated = true});
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->image.size(), (ImageSize{96, 128}));
  const auto [low, high] = std::minmax_element(decoded->image.rgb.begin(),
                                               decoded->image.rgb.begin() + size_t{8} * 128 * 3);
  EXPECT_GT(*high - *low, 50) << "the first rows are not the picture";
}

TEST(DecodeImage, TruncatedPngAndWebpAllowed_AreRefusedByTheirCodecs) {
  for (const char* name : {"png8.png", "still.webp"}) {
    const std::string bytes = Data(name);
    EXPECT_THAT(DecodeImage(bytes.substr(0, bytes.size() / 2), {.allow_truncated = true}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not decode")))
        << name;
  }
}

TEST(DecodeImage, AnimatedWebp_IsRefused) {
  EXPECT_THAT(DecodeImage(Data("animated.webp"), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "animated WebP is not supported"));
}

TEST(DecodeImage, AnimatedPng_GivesTheFirstFrame) {
  const std::string bytes = Data("png8.png");
  constexpr size_t kAfterIhdr = 33;
  std::string animated = bytes;
  animated.insert(kAfterIhdr, testing::PngChunk("acTL", std::string("\0\0\0\1\0\0\0\0", 8)));
  const auto decoded = DecodeImage(animated, {});
  ASSERT_THAT(decoded, IsOk());
  EXPECT_TRUE(decoded->animated);
  EXPECT_EQ(Difference(decoded->image, Decoded(bytes)), 0);
}

TEST(DecodeImage, EmptyAndText_AreRefused) {
  EXPECT_THAT(DecodeImage("", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(DecodeImage(Data("text.jpg"), {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("text"), HasSubstr("JPEG, PNG and WebP"))));
}

// OpenCV would hand the first file to GDCM, which aborts the process, and the second to GDAL.
TEST(DecodeImage, WebpThatOtherCodecsWouldTake_IsRefused) {
  for (const auto& [offset, magic] : {std::pair{128, "DICM"}, std::pair{140, "DTED"}}) {
    std::string bytes = Data("still.webp");
    bytes.replace(offset, 4, magic);
    EXPECT_THAT(DecodeImage(bytes, {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("also of another format")));
  }
}

TEST(DecodeImage, HeaderWithoutPixels_IsRefused) {
  EXPECT_THAT(DecodeImage(testing::PngHead(3, 5) + testing::PngChunk("IEND", ""), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not decode")));
}

TEST(DecodeImage, EveryPrefix_IsRefusedOrDecodedToItsSize) {
  for (const char* path :
       {"tests/data/cmyk.jpg", "tests/data/palette.png", "tests/data/still.webp"}) {
    const std::string bytes = ReadRepositoryFile(path);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::string prefix = bytes.substr(0, size);  // a copy, so that sanitizers see its end
      ASSERT_FALSE(DecodeImage(prefix, {}).ok()) << path << ", " << size << " bytes";
      const auto decoded = DecodeImage(prefix, {.allow_truncated = true});
      if (decoded.ok()) {
        ASSERT_EQ(decoded->image.size(), (ImageSize{48, 64})) << path << ", " << size << " bytes";
      }
    }
  }
}

TEST(DecodeImage, RandomBytesChanged_StaysWithinLimits) {
  constexpr unsigned kSeed = 20240611;
  std::mt19937 random(kSeed);
  for (const char* name : {"cmyk.jpg", "palette_alpha.png", "still.webp"}) {
    const std::string bytes = Data(name);
    for (int round = 0; round < 300; ++round) {
      std::string changed = bytes;
      for (int i = 0; i < 4; ++i) changed[random() % bytes.size()] = static_cast<char>(random());
      const auto decoded = DecodeImage(changed, {.max_pixels = 1 << 16, .allow_truncated = true});
      if (decoded.ok()) {
        ASSERT_LE(decoded->image.rgb.size(), size_t{3} << 16)
            << name << ", seed " << kSeed << ", round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace objectdino
