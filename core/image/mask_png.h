// SPDX-License-Identifier: Apache-2.0
// A binary mask as a PNG file.
// Thread-safety: pure function. Cost: O(height * width).
#ifndef OBJECTDINO_CORE_IMAGE_MASK_PNG_H_
#define OBJECTDINO_CORE_IMAGE_MASK_PNG_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

// One channel of 8 bits: 255 inside, 0 outside. `mask` is [height, width], 1 = inside, 0 = outside.
// REQUIRES: at least one pixel. INTERNAL: the encoder failed.
absl::StatusOr<std::string> EncodeMaskPng(absl::Span<const uint8_t> mask, ImageSize size);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_IMAGE_MASK_PNG_H_
