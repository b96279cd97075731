// SPDX-License-Identifier: Apache-2.0
// Ground-truth masks, from how data sets store them to pixels.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_EVALUATION_TRUTH_MASK_H_
#define OBJECTDINO_CORE_EVALUATION_TRUTH_MASK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

struct Vertex {
  float x = 0;  // pixels of the image
  float y = 0;
};

using Polygon = std::vector<Vertex>;  // closed

// One of the three is filled.
struct TruthMask {
  std::vector<Polygon> polygons;  // the mask is their union
  std::string rle;                // COCO compressed run lengths
  std::vector<uint32_t> runs;     // COCO uncompressed run lengths: down the columns, zeros first
};

// [height, width], 0 or 1. A pixel is inside a polygon when its centre is (even-odd rule). Within a
// pixel of pycocotools, which also takes pixels that the outline touches. INVALID_ARGUMENT: run
// lengths that do not fit the image. Cost: O(height * (edges + width)) a polygon, within its
// bounds.
absl::StatusOr<std::vector<uint8_t>> RasterizeMask(const TruthMask& mask, ImageSize image);

// Intersection over union of two masks of one size, non-zero = inside; 0 where both are empty.
double MaskIou(absl::Span<const uint8_t> a, absl::Span<const uint8_t> b);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_TRUTH_MASK_H_
