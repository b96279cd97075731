// SPDX-License-Identifier: Apache-2.0
// The pixels of a mask in an answer.
// Thread-safety: pure function. Cost: O(height * width).
#ifndef OBJECTDINO_CLIENT_CPP_MASK_H_
#define OBJECTDINO_CLIENT_CPP_MASK_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "core/base/patch_grid.h"
#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// [height, width] of 0 and 1, from RLE or PNG. INVALID_ARGUMENT: the mask is not of this size,
// has no pixels, or its data are malformed or missing.
absl::StatusOr<std::vector<uint8_t>> DecodeMask(const v1::Mask& mask, ImageSize size);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_MASK_H_
