// SPDX-License-Identifier: Apache-2.0
// Arrays of floats on the wire: little-endian, row-major, no padding.
#ifndef OBJECTDINO_SERVER_TENSOR_CODEC_H_
#define OBJECTDINO_SERVER_TENSOR_CODEC_H_

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// F16 and BF16 round to the nearest value, ties to even, as NumPy and PyTorch do. REQUIRES: `dtype`
// is F32, F16 or BF16; the product of `shape` is values.size(). Thread-safety: pure function.
v1::Tensor EncodeTensor(absl::Span<const float> values, std::initializer_list<int> shape,
                        v1::DataType dtype);

// INVALID_ARGUMENT: another type than F32, F16 and BF16, or data of another size than the shape
// says. Takes no memory.
absl::Status CheckTensor(const v1::Tensor& tensor);

// The values, in row-major order. REQUIRES: CheckTensor accepts it.
std::vector<float> DecodeTensor(const v1::Tensor& tensor);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_TENSOR_CODEC_H_
