// SPDX-License-Identifier: Apache-2.0
#include "server/tensor_codec.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;

std::vector<uint16_t> Halves(const v1::Tensor& tensor) {  // np.frombuffer(data, "<u2")
  std::vector<uint16_t> values(tensor.data().size() / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<uint16_t>(static_cast<uint8_t>(tensor.data()[2 * i]) |
                                      static_cast<uint8_t>(tensor.data()[2 * i + 1]) << 8);
  }
  return values;
}

float FromBits(uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// IEEE 754 binary16, written down from its definition.
double HalfToDouble(uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  if (exponent == 31) return sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(TensorCodec, F32_IsLittleEndianRowMajor) {
  const v1::Tensor tensor = EncodeTensor({1.0F, -2.0F}, {1, 2}, v1::DATA_TYPE_F32);
  EXPECT_THAT(tensor.shape(), ElementsAre(1, 2));
  EXPECT_EQ(tensor.dtype(), v1::DATA_TYPE_F32);
  EXPECT_EQ(tensor.data(), std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8));
}

TEST(TensorCodec, F16_RoundsToNearestTiesToEven) {
  const float ulp = 1.0F / 1024;  // of 1
  EXPECT_THAT(Halves(EncodeTensor({1, 1 + ulp / 2, 1 + 3 * ulp / 2, 1 + 0.51F * ulp, -65504, 65520,
                                   FromBits(0x33800000), 0},
                                  {8}, v1::DATA_TYPE_F16)),
              ElementsAre(0x3c00, 0x3c00, 0x3c02, 0x3c01, 0xfbff, 0x7c00, 0x0001, 0));
}

TEST(TensorCodec, F16_IsTheNearestHalf) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-2, 2);
  std::vector<float> values(20000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::ldexp(uniform(generator), -static_cast<int>(i % 24));  // subnormals too
  }
  const std::vector<uint16_t> halves = Halves(EncodeTensor(values, {20000}, v1::DATA_TYPE_F16));
  for (size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(HalfToDouble(halves[i]) - values[i]);
    for (const int step : {-1, 1}) {
      const auto neighbour = static_cast<uint16_t>(halves[i] + step);
      if ((halves[i] & 0x7fff) == 0 && step < 0) continue;  // below zero lies the other sign
      ASSERT_LE(error, std::abs(HalfToDouble(neighbour) - values[i])) << values[i];
    }
  }
}

TEST(TensorCodec, BF16_RoundsToNearestTiesToEven) {
  EXPECT_THAT(Halves(EncodeTensor({FromBits(0x3f800000), FromBits(0x3f808000), FromBits(0x3f818000),
                                   FromBits(0x3f808001), FromBits(0xbf807fff)},
                                  {5}, v1::DATA_TYPE_BF16)),
              ElementsAre(0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xbf80));
}

TEST(TensorCodec, Decode_IsTheInverseWhereValuesFit) {
  const std::vector<float> values = {0, -1.5, 0.25, 96, -0.0F, 1.0F / 1024};
  for (const v1::DataType dtype : {v1::DATA_TYPE_F32, v1::DATA_TYPE_F16, v1::DATA_TYPE_BF16}) {
    const v1::Tensor tensor = EncodeTensor(values, {2, 3}, dtype);
    EXPECT_TRUE(CheckTensor(tensor).ok());
    EXPECT_EQ(DecodeTensor(tensor), values) << dtype;
  }
}

TEST(TensorCodec, Check_RefusesWhatDoesNotFit) {
  const v1::Tensor good = EncodeTensor({1, 2, 3, 4, 5, 6}, {2, 3}, v1::DATA_TYPE_F16);
  ASSERT_TRUE(CheckTensor(good).ok());
  const std::vector<std::function<void(v1::Tensor&)>> changes = {
      [](auto& t) { t.set_dtype(v1::DATA_TYPE_U8); },
      [](auto& t) { t.set_dtype(static_cast<v1::DataType>(77)); },
      [](auto& t) { t.set_dtype(v1::DATA_TYPE_F32); }, [](auto& t) { t.clear_shape(); },
      [](auto& t) { t.set_shape(0, 0); }, [](auto& t) { t.set_shape(0, 4); },
      [](auto& t) { t.add_shape(2); }, [](auto& t) { t.mutable_data()->push_back('x'); },
      // Products that wrap around: the second is 2^64.
      [](auto& t) {
        t.set_shape(0, ~0U);
        t.set_shape(1, ~0U);
      },
      [](auto& t) {
        t.clear_shape();
        for (int i = 0; i < 4; ++i) t.add_shape(1U << 16);
        t.clear_data();
      }};
  for (size_t i = 0; i < changes.size(); ++i) {
    v1::Tensor tensor = good;
    changes[i](tensor);
    EXPECT_TRUE(absl::IsInvalidArgument(CheckTensor(tensor))) << i;
  }
}

}  // namespace
}  // namespace objectdino
