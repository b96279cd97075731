// SPDX-License-Identifier: Apache-2.0
#include "core/weights/tensor_file.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "core/base/status_macros.h"

namespace objectdino {

int DataTypeSize(DataType type) {
  switch (type) {
    case DataType::kF64:
    case DataType::kI64:
      return 8;
    case DataType::kF32:
    case DataType::kI32:
      return 4;
    case DataType::kF16:
    case DataType::kBf16:
    case DataType::kI16:
      return 2;
    case DataType::kI8:
    case DataType::kU8:
    case DataType::kBool:
      return 1;
  }
  OBJECTDINO_CHECK(false);
}

const char* DataTypeName(DataType type) {
  switch (type) {
    case DataType::kF64:
      return "F64";
    case DataType::kF32:
      return "F32";
    case DataType::kF16:
      return "F16";
    case DataType::kBf16:
      return "BF16";
    case DataType::kI64:
      return "I64";
    case DataType::kI32:
      return "I32";
    case DataType::kI16:
      return "I16";
    case DataType::kI8:
      return "I8";
    case DataType::kU8:
      return "U8";
    case DataType::kBool:
      return "BOOL";
  }
  OBJECTDINO_CHECK(false);
}

int64_t TensorView::element_count() const {
  if (bytes.empty()) return 0;
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

std::string DescribeTensor(const TensorView& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.shape, ", "), "] ", DataTypeName(tensor.type));
}

std::string QuoteName(absl::string_view name) {
  return absl::StrCat("'", absl::Utf8SafeCEscape(name.substr(0, 200)), "'");
}

}  // namespace objectdino
