// SPDX-License-Identifier: Apache-2.0
#include "core/image/exif.h"

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "core/image/byte_order.h"

namespace objectdino {
namespace {

constexpr uint32_t kOrientationTag = 274;
constexpr uint32_t kShort = 3;
constexpr size_t kEntrySize = 12;  // tag 2, type 2, count 4, value 4

}  // namespace

int ReadExifOrientation(absl::string_view tiff) {
  absl::ConsumePrefix(&tiff, absl::string_view("Exif\0\0", 6));
  const bool little = absl::ClippedSubstr(tiff, 0, 2) == "II";
  if (!little && absl::ClippedSubstr(tiff, 0, 2) != "MM") return 1;
  const auto read = [&](size_t at, size_t size) {
    const absl::string_view bytes = absl::ClippedSubstr(tiff, at, size);
    return little ? LittleEndian(bytes) : BigEndian(bytes);
  };
  if (read(2, 2) != 42) return 1;
  const size_t directory = read(4, 4);
  const size_t entries = read(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntrySize;
    if (entry + kEntrySize > tiff.size()) break;
    if (read(entry, 2) != kOrientationTag) continue;
    const uint32_t value = read(entry + 8, 2);
    const bool valid =
        read(entry + 2, 2) == kShort && read(entry + 4, 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace objectdino
