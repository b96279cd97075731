// SPDX-License-Identifier: Apache-2.0
#include "core/image/exif.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

#include "tests/support/image_bytes.h"

namespace objectdino {
namespace {

using testing::BigEndianBytes;
using testing::TiffOrientation;

TEST(ReadExifOrientation, EitherByteOrder_GivesTheTag) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(ReadExifOrientation(TiffOrientation(true, orientation)), orientation);
    EXPECT_EQ(ReadExifOrientation(TiffOrientation(false, orientation)), orientation);
  }
}

TEST(ReadExifOrientation, ExifPrefix_IsSkipped) {
  EXPECT_EQ(
      ReadExifOrientation(absl::StrCat(absl::string_view("Exif\0\0", 6), TiffOrientation(true, 6))),
      6);
}

TEST(ReadExifOrientation, ValueOutOfRange_IsOne) {
  for (const int value : {0, 9, 0xffff}) {
    EXPECT_EQ(ReadExifOrientation(TiffOrientation(true, value)), 1) << value;
  }
}

TEST(ReadExifOrientation, TagOfAnotherType_IsOne) {
  constexpr int kAscii = 2;
  EXPECT_EQ(ReadExifOrientation(TiffOrientation(true, 6, kAscii)), 1);
}

TEST(ReadExifOrientation, OtherTagsOnly_IsOne) {
  EXPECT_EQ(ReadExifOrientation(TiffOrientation(false, 6, 3, 256)), 1);
}

TEST(ReadExifOrientation, NotTiff_IsOne) {
  EXPECT_EQ(ReadExifOrientation(""), 1);
  EXPECT_EQ(ReadExifOrientation("no EXIF block at all, but long enough to hold one"), 1);
  std::string wrong_magic = TiffOrientation(true, 6);
  wrong_magic[2] = 43;
  EXPECT_EQ(ReadExifOrientation(wrong_magic), 1);
}

TEST(ReadExifOrientation, DirectoryOutsideTheBlock_IsOne) {
  for (const uint32_t offset : {26U, 1000U, 0x7fffffffU, 0xffffffffU}) {
    EXPECT_EQ(ReadExifOrientation(absl::StrCat("MM", BigEndianBytes(42, 2),
                                               BigEndianBytes(offset, 4), std::string(18, '\x01'))),
              1)
        << offset;
  }
}

TEST(ReadExifOrientation, MoreEntriesPromisedThanThere_ReadsThoseThere) {
  std::string block = TiffOrientation(false, 8);
  block[8] = block[9] = '\xff';  // entries
  EXPECT_EQ(ReadExifOrientation(block), 8);
  block[11] = 0;  // another tag
  EXPECT_EQ(ReadExifOrientation(block), 1);
}

TEST(ReadExifOrientation, EveryPrefix_IsOneUntilTheEntryIsWhole) {
  const std::string block = TiffOrientation(true, 6);
  constexpr size_t kEntryEnd = 22;
  for (size_t size = 0; size <= block.size(); ++size) {
    const std::string prefix = block.substr(0, size);  // a copy, so that sanitizers see its end
    EXPECT_EQ(ReadExifOrientation(prefix), size < kEntryEnd ? 1 : 6) << size;
  }
}

}  // namespace
}  // namespace objectdino
