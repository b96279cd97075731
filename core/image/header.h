// SPDX-License-Identifier: Apache-2.0
// What an encoded image says of itself before a pixel is decoded: format, size, orientation,
// completeness.
//
// Reads JPEG (SOF and EXIF APP1), PNG (IHDR, eXIf, acTL), WebP (VP8, VP8L, VP8X, EXIF) and names
// GIF, BMP, TIFF, HEIC, AVIF, SVG, PDF and text in the error. Bounds-checked, allocates nothing but
// the result, never trusts a length field. Thread-safety: pure functions. Cost: O(bytes) for a
// JPEG, whose end is looked for (about 1 GB/s); O(chunks) for the others.
#ifndef OBJECTDINO_CORE_IMAGE_HEADER_H_
#define OBJECTDINO_CORE_IMAGE_HEADER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/base/patch_grid.h"

namespace objectdino {

enum class ImageFormat { kJpeg, kPng, kWebp };

const char* ImageFormatName(ImageFormat format);

struct ImageHeader {
  ImageFormat format = ImageFormat::kJpeg;
  ImageSize stored_size;     // as stored, before the orientation is applied
  int exif_orientation = 1;  // 1 .. 8; 1 where the file has none or an invalid one
  bool animated = false;     // WebP or PNG with frames
  bool complete =
      true;  // false where the end marker or promised bytes are missing (truncated file)
};

// INVALID_ARGUMENT: empty input, unknown or unsupported format (named), header cut short, zero
// size, a JPEG of more than 30 scans (each costs a pass over all pixels, however few bytes it
// has).
absl::StatusOr<ImageHeader> ReadImageHeader(absl::string_view bytes);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_IMAGE_HEADER_H_
