// SPDX-License-Identifier: Apache-2.0
#include "core/image/header.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/files.h"
#include "tests/support/image_bytes.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using testing::BigEndianBytes;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::JpegFrame;
using testing::JpegSegment;
using testing::LittleEndianBytes;
using testing::PngChunk;
using testing::PngHead;
using testing::ReadRepositoryFile;
using testing::StatusIs;
using testing::TiffOrientation;
using testing::WebpChunk;
using testing::WebpExtended;
using testing::WebpFile;

const std::string kStart = "\xff\xd8";
const std::string kEnd = "\xff\xd9";
const std::string kScan = JpegSegment(0xDA, "scan");

std::string Still() { return ReadRepositoryFile("tests/data/still.webp"); }

auto Refused(const std::string& why) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why));
}

// ---- formats ----

TEST(ReadImageHeader, KnownFormats_GiveFormatAndSize) {
  const struct {
    const char* file;
    ImageFormat format;
  } cases[] = {{"cmyk.jpg", ImageFormat::kJpeg},
               {"png8.png", ImageFormat::kPng},
               {"still.webp", ImageFormat::kWebp}};
  for (const auto& [file, format] : cases) {
    const auto header = ReadImageHeader(ReadRepositoryFile(absl::StrCat("tests/data/", file)));
    ASSERT_THAT(header, IsOk()) << file;
    EXPECT_EQ(header->format, format) << file;
    EXPECT_EQ(header->stored_size, (ImageSize{48, 64})) << file;
    EXPECT_EQ(header->exif_orientation, 1) << file;
    EXPECT_FALSE(header->animated) << file;
    EXPECT_TRUE(header->complete) << file;
  }
}

TEST(ReadImageHeader, NoBytes_SaysEmpty) { EXPECT_THAT(ReadImageHeader(""), Refused("empty")); }

TEST(ReadImageHeader, UnsupportedFormats_AreNamedWithWhatIsSupported) {
  const auto iso = [](const char* brand) {
    return absl::StrCat(BigEndianBytes(24, 4), "ftyp", brand, std::string(12, '\0'));
  };
  const std::pair<std::string, const char*> cases[] = {
      {ReadRepositoryFile("tests/data/animated.gif"), "a GIF image"},
      {absl::StrCat("BM", std::string(52, '\0')), "a BMP image"},
      {std::string("II*\0\x08\0\0\0", 8), "a TIFF image"},
      {std::string("MM\0*\0\0\0\x08", 8), "a TIFF image"},
      {iso("heic"), "a HEIC image"},
      {iso("avif"), "an AVIF image"},
      {iso("mp42"), "a video"},
      {"%PDF-1.7\n", "a PDF document"},
      {"<?xml version=\"1.0\"?>\n<svg width=\"1\"/>", "an SVG drawing"},
      {ReadRepositoryFile("tests/data/text.jpg"), "text"},
      {std::string("\x00\x01\x02\x03", 4), "not a known image format"},
  };
  for (const auto& [bytes, name] : cases) {
    EXPECT_THAT(ReadImageHeader(bytes), Refused(absl::StrCat("this is ", name))) << name;
    EXPECT_THAT(ReadImageHeader(bytes), Refused("supported are JPEG, PNG and WebP")) << name;
  }
}

TEST(ReadImageHeader, ExifFiles_GiveOrientationAndStoredSize) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto header = ReadImageHeader(
        ReadRepositoryFile(absl::StrCat("tests/golden/exif/orientation_", orientation, ".jpg")));
    ASSERT_THAT(header, IsOk());
    EXPECT_EQ(header->exif_orientation, orientation);
    const ImageSize size = header->stored_size;
    EXPECT_EQ(size.height > size.width, orientation >= 5) << size.height << " x " << size.width;
  }
}

// A prefix of a file is an error or incomplete, and is never read past its end.
TEST(ReadImageHeader, EveryPrefix_IsNeverComplete) {
  for (const char* path : {"tests/golden/exif/orientation_6.jpg", "tests/data/png8.png",
                           "tests/data/still.webp", "tests/data/animated.webp"}) {
    const std::string bytes = ReadRepositoryFile(path);
    EXPECT_TRUE(ReadImageHeader(bytes)->complete) << path;
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::string prefix = bytes.substr(0, size);  // a copy, so that sanitizers see its end
      const auto header = ReadImageHeader(prefix);
      if (header.ok()) {
        ASSERT_FALSE(header->complete) << path << ", " << size << " bytes";
      } else {
        ASSERT_EQ(header.status().code(), absl::StatusCode::kInvalidArgument) << path;
      }
    }
  }
}

TEST(ReadImageHeader, TrailingBytes_AreTolerated) {
  for (const char* path :
       {"tests/golden/exif/orientation_1.jpg", "tests/data/png8.png", "tests/data/still.webp"}) {
    const auto header = ReadImageHeader(ReadRepositoryFile(path) + "trailing \xff\xd8 bytes");
    ASSERT_THAT(header, IsOk());
    EXPECT_TRUE(header->complete) << path;
  }
}

// ---- JPEG ----

TEST(ReadJpegHeader, EntropyCodedData_IsWalkedToTheEndMarker) {
  const std::string data("\x12\xff\x00\x34\xff\xd0\xff\xd7\xff\x00", 10);  // stuffing, restarts
  const auto header =
      ReadImageHeader(kStart + JpegFrame(3, 5) + kScan + data + kScan + data + kEnd);
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->stored_size, (ImageSize{3, 5}));
  EXPECT_TRUE(header->complete);
}

TEST(ReadJpegHeader, FillBytesBeforeAMarker_AreSkipped) {
  const auto header = ReadImageHeader(kStart + "\xff\xff\xff" + JpegFrame(3, 5) + kScan + kEnd);
  ASSERT_THAT(header, IsOk());
  EXPECT_TRUE(header->complete);
}

TEST(ReadJpegHeader, ThumbnailInsideASegment_IsNotTheImage) {
  const std::string thumbnail = kStart + JpegFrame(1, 2) + kEnd;
  const auto header =
      ReadImageHeader(kStart + JpegSegment(0xE2, thumbnail) + JpegFrame(3, 5) + kScan + kEnd);
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->stored_size, (ImageSize{3, 5}));
}

TEST(ReadJpegHeader, NoEndMarker_IsIncomplete) {
  const auto header = ReadImageHeader(kStart + JpegFrame(3, 5) + kScan + "data");
  ASSERT_THAT(header, IsOk());
  EXPECT_FALSE(header->complete);
}

TEST(ReadJpegHeader, LengthPastTheEnd_IsIncompleteOrCutShort) {
  const std::string long_segment = "\xff\xe5\xff\xff too short";
  const auto header = ReadImageHeader(kStart + JpegFrame(3, 5) + long_segment);
  ASSERT_THAT(header, IsOk());
  EXPECT_FALSE(header->complete);
  EXPECT_THAT(ReadImageHeader(kStart + long_segment), Refused("JPEG is cut short"));
}

TEST(ReadJpegHeader, LengthBelowTwo_IsRefused) {
  for (const uint32_t length : {0, 1}) {
    EXPECT_THAT(ReadImageHeader(kStart + "\xff\xe5" + BigEndianBytes(length, 2) + JpegFrame(3, 5)),
                Refused("length is below two"));
  }
}

TEST(ReadJpegHeader, FrameHeaderTooSmall_IsRefused) {
  EXPECT_THAT(ReadImageHeader(kStart + JpegSegment(0xC0, "\x08") + kEnd), Refused("too small"));
}

TEST(ReadJpegHeader, NoFrameHeader_IsRefused) {
  EXPECT_THAT(ReadImageHeader(kStart + JpegSegment(0xE0, "JFIF") + kEnd),
              Refused("no frame header"));
}

TEST(ReadJpegHeader, ZeroSize_IsRefused) {
  EXPECT_THAT(ReadImageHeader(kStart + JpegFrame(0, 5) + kScan + kEnd),
              Refused("its size is 0 x 5"));
}

TEST(ReadJpegHeader, ThirtyScansButNotMore) {
  std::string bytes = kStart + JpegFrame(3, 5);
  for (int i = 0; i < 30; ++i) bytes += kScan;
  EXPECT_THAT(ReadImageHeader(bytes + kEnd), IsOk());
  EXPECT_THAT(ReadImageHeader(bytes + kScan + kEnd), Refused("more than 30 scans"));
}

// ---- PNG ----

TEST(ReadPngHeader, AnimationAndOrientationChunks_AreRead) {
  const auto header = ReadImageHeader(PngHead(3, 5) + PngChunk("acTL", "12345678") +
                                      PngChunk("eXIf", TiffOrientation(false, 3)) +
                                      PngChunk("IDAT", "") + PngChunk("IEND", ""));
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->stored_size, (ImageSize{3, 5}));
  EXPECT_TRUE(header->animated);
  EXPECT_EQ(header->exif_orientation, 3);
  EXPECT_TRUE(header->complete);
}

TEST(ReadPngHeader, AbsurdChunkLength_IsIncomplete) {
  for (const uint32_t length : {5U, 0x7fffffffU, 0xfffffff4U, 0xffffffffU}) {
    const auto header =
        ReadImageHeader(PngHead(3, 5) + BigEndianBytes(length, 4) + "IDAT" + std::string(8, '\0'));
    ASSERT_THAT(header, IsOk()) << length;
    EXPECT_FALSE(header->complete) << length;
  }
}

TEST(ReadPngHeader, FirstChunkNotIhdr_IsRefused) {
  const std::string ihdr = PngHead(3, 5);
  EXPECT_THAT(ReadImageHeader(ihdr.substr(0, 8) + PngChunk("IDAT", "1234567890123") + ihdr),
              Refused("does not begin with IHDR"));
}

TEST(ReadPngHeader, CutInsideIhdr_IsRefused) {
  EXPECT_THAT(ReadImageHeader(PngHead(3, 5).substr(0, 30)), Refused("PNG is cut short"));
}

TEST(ReadPngHeader, ZeroOrAbsurdSize_IsRefused) {
  EXPECT_THAT(ReadImageHeader(PngHead(0, 5)), Refused("its size is 0 x 5"));
  EXPECT_THAT(ReadImageHeader(PngHead(5, 0xffffffff)), Refused("its size is 5 x 4294967295"));
}

// ---- WebP ----

TEST(ReadWebpHeader, LossyFrame_GivesSizeWithoutTheScaleBits) {
  const std::string frame = std::string("\0\0\0\x9d\x01\x2a", 6) +
                            LittleEndianBytes(0x4000 | 5, 2) + LittleEndianBytes(0xc000 | 3, 2);
  const auto header = ReadImageHeader(WebpFile(WebpChunk("VP8 ", frame)));
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->stored_size, (ImageSize{3, 5}));
  EXPECT_TRUE(header->complete);
}

TEST(ReadWebpHeader, ExtendedFile_GivesCanvasAndOrientation) {
  const std::string pixels = Still().substr(12);
  for (const char* prefix : {"", "Exif\0\0"}) {
    const std::string exif = std::string(prefix, *prefix == 0 ? 0 : 6) + TiffOrientation(true, 6);
    const auto header =
        ReadImageHeader(WebpFile(WebpExtended(48, 64, 0x08) + pixels + WebpChunk("EXIF", exif)));
    ASSERT_THAT(header, IsOk());
    EXPECT_EQ(header->stored_size, (ImageSize{48, 64}));
    EXPECT_EQ(header->exif_orientation, 6);
    EXPECT_FALSE(header->animated);
    EXPECT_TRUE(header->complete);
  }
}

TEST(ReadWebpHeader, AnimatedFile_IsMarked) {
  const auto header = ReadImageHeader(ReadRepositoryFile("tests/data/animated.webp"));
  ASSERT_THAT(header, IsOk());
  EXPECT_TRUE(header->animated);
  EXPECT_EQ(header->stored_size, (ImageSize{48, 64}));
}

TEST(ReadWebpHeader, AbsurdLengths_AreIncomplete) {
  for (const size_t field : {4, 16}) {  // of the file, of the first chunk
    for (const uint32_t length : {0x7fffffffU, 0xfffffff8U, 0xffffffffU}) {
      std::string bytes = Still();
      bytes.replace(field, 4, LittleEndianBytes(length, 4));
      const auto header = ReadImageHeader(bytes);
      ASSERT_THAT(header, IsOk()) << field << " " << length;
      EXPECT_FALSE(header->complete) << field << " " << length;
    }
  }
}

TEST(ReadWebpHeader, NoPixels_IsIncomplete) {
  const auto header = ReadImageHeader(WebpFile(WebpExtended(3, 5, 0)));
  ASSERT_THAT(header, IsOk());
  EXPECT_FALSE(header->complete);
}

TEST(ReadWebpHeader, MalformedFirstChunk_IsRefused) {
  EXPECT_THAT(ReadImageHeader(WebpFile(WebpChunk("JUNK", "0123456789"))),
              Refused("does not begin with VP8"));
  EXPECT_THAT(ReadImageHeader(WebpFile(WebpChunk("VP8 ", "0123456789"))),
              Refused("no VP8 start code"));
  EXPECT_THAT(ReadImageHeader(WebpFile(WebpChunk("VP8L", "0123456789"))),
              Refused("no VP8L signature"));
  EXPECT_THAT(ReadImageHeader(WebpFile("")), Refused("WebP is cut short"));
}

}  // namespace
}  // namespace objectdino
