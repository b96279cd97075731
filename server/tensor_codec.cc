// SPDX-License-Identifier: Apache-2.0
#include "server/tensor_codec.h"

#include <bit>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include <Eigen/Core>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

static_assert(std::endian::native == std::endian::little, "the wire is little-endian");

template <typename Narrow>
std::string Bytes(absl::Span<const float> values) {
  static_assert(sizeof(Narrow) == 2);
  std::string bytes(values.size() * sizeof(Narrow), '\0');
  char* out = bytes.data();
  for (const float value : values) {
    const auto narrow = static_cast<Narrow>(value);
    std::memcpy(out, &narrow, sizeof(Narrow));
    out += sizeof(Narrow);
  }
  return bytes;
}

template <typename Narrow>
std::vector<float> Widened(const std::string& bytes) {
  std::vector<float> values;
  values.reserve(bytes.size() / sizeof(Narrow));
  for (size_t at = 0; at + sizeof(Narrow) <= bytes.size(); at += sizeof(Narrow)) {
    Narrow narrow;
    std::memcpy(&narrow, bytes.data() + at, sizeof(Narrow));
    values.push_back(static_cast<float>(narrow));
  }
  return values;
}

// 0 for what is no type of floats.
size_t BytesOf(v1::DataType dtype) {
  switch (dtype) {
    case v1::DATA_TYPE_F32:
      return 4;
    case v1::DATA_TYPE_F16:
    case v1::DATA_TYPE_BF16:
      return 2;
    default:
      return 0;
  }
}

}  // namespace

v1::Tensor EncodeTensor(absl::Span<const float> values, std::initializer_list<int> shape,
                        v1::DataType dtype) {
  v1::Tensor tensor;
  tensor.set_dtype(dtype);
  for (const int side : shape) tensor.add_shape(static_cast<uint32_t>(side));
  switch (dtype) {
    case v1::DATA_TYPE_F32:
      tensor.set_data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
      break;
    case v1::DATA_TYPE_F16:
      tensor.set_data(Bytes<Eigen::half>(values));
      break;
    case v1::DATA_TYPE_BF16:
      tensor.set_data(Bytes<Eigen::bfloat16>(values));
      break;
    default:
      OBJECTDINO_CHECK(false);
  }
  return tensor;
}

absl::Status CheckTensor(const v1::Tensor& tensor) {
  const size_t width = BytesOf(tensor.dtype());
  if (width == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tensor's dtype must be F32, F16 or BF16, got ", int{tensor.dtype()}));
  }
  // As a quotient, which cannot overflow.
  size_t values = tensor.data().size() / width;
  bool fits = tensor.data().size() % width == 0 && !tensor.shape().empty();
  for (const uint32_t side : tensor.shape()) {
    fits = fits && side > 0 && values % side == 0;
    if (!fits) break;
    values /= side;
  }
  if (fits && values == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the tensor's data of ", tensor.data().size(),
                                                 " bytes does not fit its shape and dtype"));
}

std::vector<float> DecodeTensor(const v1::Tensor& tensor) {
  switch (tensor.dtype()) {
    case v1::DATA_TYPE_F16:
      return Widened<Eigen::half>(tensor.data());
    case v1::DATA_TYPE_BF16:
      return Widened<Eigen::bfloat16>(tensor.data());
    default:
      return Widened<float>(tensor.data());
  }
}

}  // namespace objectdino
