// SPDX-License-Identifier: Apache-2.0
// COCO compressed run-length encoding of binary masks, byte-identical to pycocotools.mask.encode.
//
// Runs go down the columns (column-major) and start with the run of zeros; each count is stored as
// its difference from the count two before it, in groups of five bits, offset by 48. Thread-safety:
// pure functions. Cost: O(height * width).
#ifndef OBJECTDINO_CORE_MATH_RLE_H_
#define OBJECTDINO_CORE_MATH_RLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace objectdino {

// `mask` is row-major [height, width], non-zero = inside. REQUIRES: mask.size() == height * width.
std::string EncodeCocoRle(absl::Span<const uint8_t> mask, int height, int width);

// Inverse; values 0 and 1. Safe on any bytes: INVALID_ARGUMENT when `rle` is malformed, its runs do
// not sum to height * width, or that product is negative or above 2^31 - 1.
absl::StatusOr<std::vector<uint8_t>> DecodeCocoRle(absl::string_view rle, int height, int width);

// Calls `run` with the pixels [begin, end) of each run of ones that is not empty, counted down the
// columns (x * height + y), in order. Errors as DecodeCocoRle; the runs before the fault were
// shown. Takes no memory, whatever the size. Cost: O(rle).
absl::Status VisitCocoRle(absl::string_view rle, int height, int width,
                          absl::FunctionRef<void(int64_t begin, int64_t end)> run);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_MATH_RLE_H_
