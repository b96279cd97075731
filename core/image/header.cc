// SPDX-License-Identifier: Apache-2.0
#include "core/image/header.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "core/image/byte_order.h"
#include "core/image/exif.h"

namespace objectdino {
namespace {

using absl::ClippedSubstr;
using absl::string_view;

constexpr string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

absl::Status CutShort(string_view format) {
  return absl::InvalidArgumentError(absl::StrCat("the header of this ", format, " is cut short"));
}

absl::Status Malformed(string_view format, string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat("malformed ", format, ": ", reason));
}

absl::StatusOr<ImageHeader> CheckSize(ImageHeader header, uint32_t height, uint32_t width) {
  constexpr uint32_t kMax = std::numeric_limits<int>::max();
  if (height == 0 || width == 0 || height > kMax || width > kMax) {
    return Malformed(ImageFormatName(header.format),
                     absl::StrCat("its size is ", height, " x ", width, " (height x width)"));
  }
  header.stored_size = {static_cast<int>(height), static_cast<int>(width)};
  return header;
}

// ---- JPEG (ITU T.81, annex B) ----

constexpr int kStartOfScan = 0xDA, kEndOfImage = 0xD9, kApp1 = 0xE1;
// Decoding costs a pass over the whole image for each scan, however few bytes the scan has: 150 ms
// at 50 megapixels. Real progressive files have about ten.
constexpr int kMaxJpegScans = 30;

// The next marker at or behind *pos, which moves past it; 0 where there is none. Skips what lies
// between segments as libjpeg does, entropy-coded data with its stuffed zeros and restart markers
// included.
int NextMarker(string_view bytes, size_t* pos) {
  while ((*pos = bytes.find('\xff', *pos)) != string_view::npos) {
    *pos = bytes.find_first_not_of('\xff', *pos);
    if (*pos == string_view::npos) return 0;
    const int code = static_cast<uint8_t>(bytes[(*pos)++]);
    const bool stands_alone = code <= 0x01 || (code >= 0xD0 && code <= 0xD8);
    if (!stands_alone) return code;
  }
  return 0;
}

bool IsStartOfFrame(int marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

absl::StatusOr<ImageHeader> ReadJpeg(string_view bytes) {
  ImageHeader header;
  header.format = ImageFormat::kJpeg;
  header.complete = false;
  string_view frame, exif;
  int scans = 0;
  size_t pos = 2;
  while (const int marker = NextMarker(bytes, &pos)) {
    if (marker == kEndOfImage) {
      header.complete = true;
      break;
    }
    const size_t length = BigEndian(ClippedSubstr(bytes, pos, 2));
    if (bytes.size() - pos < std::max<size_t>(length, 2)) break;
    if (length < 2) return Malformed("JPEG", "a segment's length is below two");
    const string_view payload = bytes.substr(pos + 2, length - 2);
    pos += length;
    if (IsStartOfFrame(marker) && frame.empty()) {
      if (payload.size() < 6) return Malformed("JPEG", "its frame header is too small");
      frame = payload;
    } else if (marker == kApp1 && exif.empty() && absl::StartsWith(payload, "Exif")) {
      exif = payload;
    } else if (marker == kStartOfScan && ++scans > kMaxJpegScans) {
      return Malformed("JPEG", absl::StrCat("it has more than ", kMaxJpegScans, " scans"));
    }
  }
  if (frame.empty()) {
    return header.complete ? Malformed("JPEG", "it has no frame header") : CutShort("JPEG");
  }
  header.exif_orientation = ReadExifOrientation(exif);
  return CheckSize(header, BigEndian(frame.substr(1, 2)), BigEndian(frame.substr(3, 2)));
}

// ---- PNG (ISO 15948, chapter 11) ----

absl::StatusOr<ImageHeader> ReadPng(string_view bytes) {
  constexpr size_t kFrame = 12;  // length 4, type 4, CRC 4
  constexpr size_t kIhdrSize = 13;
  ImageHeader header;
  header.format = ImageFormat::kPng;
  header.complete = false;
  size_t pos = kPngSignature.size();
  if (bytes.size() < pos + kFrame + kIhdrSize) return CutShort("PNG");
  if (bytes.substr(pos, 8) != string_view("\0\0\0\x0dIHDR", 8)) {
    return Malformed("PNG", "it does not begin with IHDR");
  }
  const string_view ihdr = bytes.substr(pos + 8, kIhdrSize);
  while (bytes.size() - pos >= kFrame) {
    const size_t length = BigEndian(bytes.substr(pos, 4));
    if (length > bytes.size() - pos - kFrame) break;
    const string_view type = bytes.substr(pos + 4, 4);
    if (type == "IEND") {
      header.complete = true;
      break;
    }
    if (type == "acTL") header.animated = true;
    if (type == "eXIf")
      header.exif_orientation = ReadExifOrientation(bytes.substr(pos + 8, length));
    pos += kFrame + length;
  }
  return CheckSize(header, BigEndian(ihdr.substr(4, 4)), BigEndian(ihdr.substr(0, 4)));
}

// ---- WebP (RFC 9649) ----

absl::StatusOr<ImageHeader> ReadWebp(string_view bytes) {
  constexpr uint32_t kAnimationFlag = 0x02;
  ImageHeader header;
  header.format = ImageFormat::kWebp;
  header.complete = false;
  const string_view type = ClippedSubstr(bytes, 12, 4);
  const string_view data = ClippedSubstr(bytes, 20);
  uint32_t height = 0, width = 0;
  if (type == "VP8X") {
    if (data.size() < 10) return CutShort("WebP");
    header.animated = (LittleEndian(data.substr(0, 1)) & kAnimationFlag) != 0;
    width = LittleEndian(data.substr(4, 3)) + 1;
    height = LittleEndian(data.substr(7, 3)) + 1;
  } else if (type == "VP8 ") {
    if (data.size() < 10) return CutShort("WebP");
    if (data.substr(3, 3) != "\x9d\x01\x2a") return Malformed("WebP", "no VP8 start code");
    width = LittleEndian(data.substr(6, 2)) & 0x3fff;
    height = LittleEndian(data.substr(8, 2)) & 0x3fff;
  } else if (type == "VP8L") {
    if (data.size() < 5) return CutShort("WebP");
    if (data[0] != '\x2f') return Malformed("WebP", "no VP8L signature");
    const uint32_t packed = LittleEndian(data.substr(1, 4));
    width = (packed & 0x3fff) + 1;
    height = (packed >> 14 & 0x3fff) + 1;
  } else if (type.size() < 4) {
    return CutShort("WebP");
  } else {
    return Malformed("WebP", "it does not begin with VP8, VP8L or VP8X");
  }

  const size_t promised = size_t{8} + LittleEndian(bytes.substr(4, 4));
  const string_view riff = bytes.substr(0, promised);
  bool has_pixels = false, chunks_end = true;
  for (size_t pos = 12; pos < riff.size();) {
    const size_t length = LittleEndian(ClippedSubstr(riff, pos + 4, 4));
    chunks_end = riff.size() - pos >= 8 && length <= riff.size() - pos - 8;
    if (!chunks_end) break;
    const string_view chunk = riff.substr(pos, 4);
    has_pixels |= chunk == "VP8 " || chunk == "VP8L" || chunk == "ANMF";
    if (chunk == "EXIF")
      header.exif_orientation = ReadExifOrientation(riff.substr(pos + 8, length));
    pos += 8 + length + length % 2;
  }
  header.complete = riff.size() == promised && chunks_end && has_pixels;
  return CheckSize(header, height, width);
}

// ---- everything else ----

// What the bytes seem to be, with its article; for messages only.
string_view Recognise(string_view bytes) {
  const string_view brand = ClippedSubstr(bytes, 8, 4);
  if (absl::StartsWith(bytes, "GIF8")) return "a GIF image";
  if (absl::StartsWith(bytes, string_view("II*\0", 4)) ||
      absl::StartsWith(bytes, string_view("MM\0*", 4))) {
    return "a TIFF image";
  }
  if (ClippedSubstr(bytes, 4, 4) == "ftyp") {
    if (brand == "avif" || brand == "avis") return "an AVIF image";
    if (brand == "heic" || brand == "heix" || brand == "hevc" || brand == "mif1" ||
        brand == "msf1") {
      return "a HEIC image";
    }
    return "a video or another ISO media file";
  }
  if (absl::StartsWith(bytes, "%PDF")) return "a PDF document";
  if (absl::StartsWith(bytes, "BM") && bytes.size() >= 26) return "a BMP image";
  const string_view start = bytes.substr(0, 1024);
  if (absl::StrContains(start, "<svg")) return "an SVG drawing";
  const bool text = absl::c_all_of(start, [](unsigned char byte) {
    return byte >= 0x80 || absl::ascii_isprint(byte) || absl::ascii_isspace(byte);
  });
  return text ? "text" : "not a known image format";
}

}  // namespace

const char* ImageFormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
  }
  return "";
}

absl::StatusOr<ImageHeader> ReadImageHeader(string_view bytes) {
  if (bytes.empty()) return absl::InvalidArgumentError("the image is empty (0 bytes)");
  if (absl::StartsWith(bytes, "\xff\xd8\xff")) return ReadJpeg(bytes);
  if (absl::StartsWith(bytes, kPngSignature)) return ReadPng(bytes);
  if (absl::StartsWith(bytes, "RIFF") && ClippedSubstr(bytes, 8, 4) == "WEBP") {
    return ReadWebp(bytes);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("this is ", Recognise(bytes), "; supported are JPEG, PNG and WebP"));
}

}  // namespace objectdino
