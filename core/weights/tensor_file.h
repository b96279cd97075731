// SPDX-License-Identifier: Apache-2.0
// Named tensors in a file, as views of bytes. Torch-free, so that the reader can be fuzzed by
// itself.
#ifndef OBJECTDINO_CORE_WEIGHTS_TENSOR_FILE_H_
#define OBJECTDINO_CORE_WEIGHTS_TENSOR_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace objectdino {

enum class DataType { kF64, kF32, kF16, kBf16, kI64, kI32, kI16, kI8, kU8, kBool };

// Bytes of one element.
int DataTypeSize(DataType type);
// safetensors' spelling: "F32", "BF16", ...
const char* DataTypeName(DataType type);

// Little-endian, not necessarily aligned. The bytes belong to the file.
struct TensorView {
  DataType type = DataType::kF32;
  std::vector<int64_t> shape;  // empty = scalar
  std::vector<int64_t> strides =
      {};  // in elements, not negative; empty = row-major without padding
  absl::Span<const uint8_t> bytes = {};  // from the first element to the last

  int64_t element_count() const;
};

// "[1, 384] F32": for error messages.
std::string DescribeTensor(const TensorView& tensor);
// 'name', short and printable: names come from files, and could flood a terminal.
std::string QuoteName(absl::string_view name);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_TENSOR_FILE_H_
