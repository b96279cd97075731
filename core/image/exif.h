// SPDX-License-Identifier: Apache-2.0
// The orientation tag of an EXIF block.
#ifndef OBJECTDINO_CORE_IMAGE_EXIF_H_
#define OBJECTDINO_CORE_IMAGE_EXIF_H_

#include "absl/strings/string_view.h"

namespace objectdino {

// Orientation 1 .. 8 (TIFF 6.0, tag 274 in the first directory) of a TIFF block of either byte
// order, with or without "Exif\0\0" in front. 1, as stored, where the block has none, an invalid
// one, or is cut short. Bounds-checked. Thread-safety: pure function. Cost: O(bytes).
int ReadExifOrientation(absl::string_view tiff);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_IMAGE_EXIF_H_
