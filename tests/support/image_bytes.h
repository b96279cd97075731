// SPDX-License-Identifier: Apache-2.0
// Encoded images put together by hand, for tests of headers that no encoder would write.
#ifndef OBJECTDINO_TESTS_SUPPORT_IMAGE_BYTES_H_
#define OBJECTDINO_TESTS_SUPPORT_IMAGE_BYTES_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace objectdino::testing {

inline std::string BigEndianBytes(uint32_t value, int size) {
  std::string bytes;
  for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

inline std::string LittleEndianBytes(uint32_t value, int size) {
  const std::string big = BigEndianBytes(value, size);
  return {big.rbegin(), big.rend()};
}

// A TIFF block with one directory entry: the orientation, by default a SHORT.
inline std::string TiffOrientation(bool little, uint32_t value, uint32_t type = 3,
                                   uint32_t tag = 274) {
  const auto bytes = [little](uint32_t v, int size) {
    return little ? LittleEndianBytes(v, size) : BigEndianBytes(v, size);
  };
  return absl::StrCat(little ? "II" : "MM", bytes(42, 2), bytes(8, 4), bytes(1, 2), bytes(tag, 2),
                      bytes(type, 2), bytes(1, 4), bytes(value, 2), bytes(0, 2), bytes(0, 4));
}

inline std::string JpegSegment(int marker, absl::string_view payload) {
  return absl::StrCat("\xff", std::string(1, static_cast<char>(marker)),
                      BigEndianBytes(static_cast<uint32_t>(payload.size()) + 2, 2), payload);
}

// A baseline frame header of one component.
inline std::string JpegFrame(uint32_t height, uint32_t width) {
  return JpegSegment(0xC0, absl::StrCat("\x08", BigEndianBytes(height, 2), BigEndianBytes(width, 2),
                                        absl::string_view("\x01\x01\x11\x00", 4)));
}

// The CRC is left zero: headers are read without it.
inline std::string PngChunk(absl::string_view type, absl::string_view data) {
  return absl::StrCat(BigEndianBytes(static_cast<uint32_t>(data.size()), 4), type, data,
                      BigEndianBytes(0, 4));
}

inline std::string PngHead(uint32_t height, uint32_t width) {
  return absl::StrCat(
      "\x89PNG\r\n\x1a\n",
      PngChunk("IHDR", absl::StrCat(BigEndianBytes(width, 4), BigEndianBytes(height, 4),
                                    absl::string_view("\x08\x02\x00\x00\x00", 5))));
}

inline std::string WebpChunk(absl::string_view type, absl::string_view data) {
  return absl::StrCat(type, LittleEndianBytes(static_cast<uint32_t>(data.size()), 4), data,
                      std::string(data.size() % 2, '\0'));
}

inline std::string WebpFile(absl::string_view chunks) {
  return absl::StrCat("RIFF", LittleEndianBytes(static_cast<uint32_t>(chunks.size()) + 4, 4),
                      "WEBP", chunks);
}

inline std::string WebpExtended(uint32_t height, uint32_t width, uint32_t flags) {
  return WebpChunk("VP8X",
                   absl::StrCat(LittleEndianBytes(flags, 4), LittleEndianBytes(width - 1, 3),
                                LittleEndianBytes(height - 1, 3)));
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_IMAGE_BYTES_H_
