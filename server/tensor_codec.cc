// SPDX-License-Identifier: Apache-2.0
#include "server/tensor_codec.h"

#include <bit>
#include <cstring>
#include <string>

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

}  // namespace objectdino
