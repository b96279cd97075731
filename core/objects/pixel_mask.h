// SPDX-License-Identifier: Apache-2.0
// A mask of the patch grid at the resolution of the image.
// Thread-safety: pure function. Cost: O(height * width).
#ifndef OBJECTDINO_CORE_OBJECTS_PIXEL_MASK_H_
#define OBJECTDINO_CORE_OBJECTS_PIXEL_MASK_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

// [height, width]: a pixel belongs to the patch that its centre falls in. `mask` is [rows, cols].
std::vector<uint8_t> UpsampleMask(absl::Span<const uint8_t> mask, const PatchGrid& grid,
                                  ImageSize image);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_PIXEL_MASK_H_
