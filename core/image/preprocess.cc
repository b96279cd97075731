// SPDX-License-Identifier: Apache-2.0
#include "core/image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/types/span.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr int kChannels = 3;
constexpr float kMean[kChannels] = {0.485F, 0.456F, 0.406F};  // ImageNet, R G B
constexpr float kStd[kChannels] = {0.229F, 0.224F, 0.225F};

// The triangle filter along one axis: output i is the sum over t < count[i] of
// weights[i * taps + t] * input[first[i] + t].
struct TriangleFilter {
  TriangleFilter(int input, int output);

  int taps = 0;  // the most that an output has
  std::vector<int> first;
  std::vector<int> count;
  std::vector<float> weights;  // [output, taps]
};

TriangleFilter::TriangleFilter(int input, int output) : first(output), count(output) {
  const double scale = static_cast<double>(input) / output;
  const double support = std::max(1.0, scale);
  taps = 2 * static_cast<int>(std::ceil(support)) + 1;
  weights.resize(static_cast<size_t>(output) * taps);
  for (int i = 0; i < output; ++i) {
    const double center = scale * (i + 0.5);  // pixel j reaches from j to j + 1
    const int begin = static_cast<int>(std::max(0L, std::lround(center - support)));
    const int end = static_cast<int>(std::min(long{input}, std::lround(center + support)));
    first[i] = begin;
    count[i] = end - begin;
    const auto triangle = [&](int j) {
      return std::max(0.0, 1.0 - std::abs(j + 0.5 - center) / support);
    };
    double sum = 0;
    for (int j = begin; j < end; ++j) sum += triangle(j);
    float* row = &weights[static_cast<size_t>(i) * taps];
    for (int j = begin; j < end; ++j) *row++ = static_cast<float>(triangle(j) / sum);
  }
}

// row[x] = sum over t < count of weights[t] * pixels[t * stride + x]. Four taps a pass, so that
// sums are loaded and stored a quarter as often; contiguous in x, so that the compiler vectorises.
void WeighRows(const uint8_t* pixels, size_t stride, const float* weights, int count, float* row) {
  std::fill_n(row, stride, 0.0F);
  int t = 0;
  for (; t + 4 <= count; t += 4, pixels += 4 * stride) {
    const float w0 = weights[t], w1 = weights[t + 1], w2 = weights[t + 2], w3 = weights[t + 3];
    for (size_t x = 0; x < stride; ++x) {
      row[x] += w0 * static_cast<float>(pixels[x]) + w1 * static_cast<float>(pixels[stride + x]) +
                w2 * static_cast<float>(pixels[2 * stride + x]) +
                w3 * static_cast<float>(pixels[3 * stride + x]);
    }
  }
  for (; t < count; ++t, pixels += stride) {
    for (size_t x = 0; x < stride; ++x) row[x] += weights[t] * static_cast<float>(pixels[x]);
  }
}

// round(numerator / denominator), half to even.
int64_t RoundHalfToEven(int64_t numerator, int64_t denominator) {
  const int64_t floor = numerator / denominator;
  const int64_t twice_rest = 2 * (numerator % denominator);
  const bool up = twice_rest > denominator || (twice_rest == denominator && floor % 2 == 1);
  return floor + (up ? 1 : 0);
}

}  // namespace

PatchGrid ChoosePatchGrid(ImageSize image, ResizeMode mode, int input_size, int patch_size) {
  OBJECTDINO_CHECK(image.height > 0 && image.width > 0);
  OBJECTDINO_CHECK(patch_size > 0 && input_size >= patch_size);
  if (mode == ResizeMode::kSquare) {
    return {input_size / patch_size, input_size / patch_size, patch_size};
  }
  const int64_t longest = std::max(image.height, image.width);
  const auto patches = [&](int side) {
    const int64_t count = RoundHalfToEven(int64_t{side} * input_size, longest * patch_size);
    return static_cast<int>(std::max<int64_t>(1, count));
  };
  return {patches(image.height), patches(image.width), patch_size};
}

// Vertically first: that pass reads every pixel but vectorises, and leaves only `height` rows for
// the other.
std::vector<float> ResizeAntialiased(const Image& image, int height, int width) {
  OBJECTDINO_CHECK(image.height > 0 && image.width > 0 && height > 0 && width > 0);
  const TriangleFilter vertical(image.height, height);
  const TriangleFilter horizontal(image.width, width);
  const size_t stride = size_t{kChannels} * image.width;
  const size_t plane = static_cast<size_t>(height) * width;
  std::vector<float> row(stride);                 // [image.width, 3]
  std::vector<float> resized(kChannels * plane);  // [3, height, width]
  for (int y = 0; y < height; ++y) {
    WeighRows(&image.rgb[vertical.first[y] * stride], stride,
              &vertical.weights[static_cast<size_t>(y) * vertical.taps], vertical.count[y],
              row.data());
    float* out = &resized[static_cast<size_t>(y) * width];
    for (int x = 0; x < width; ++x) {
      const float* pixel = &row[size_t{kChannels} * horizontal.first[x]];
      const float* weights = &horizontal.weights[static_cast<size_t>(x) * horizontal.taps];
      float red = 0, green = 0, blue = 0;
      for (int t = 0; t < horizontal.count[x]; ++t, pixel += kChannels) {
        red += weights[t] * pixel[0];
        green += weights[t] * pixel[1];
        blue += weights[t] * pixel[2];
      }
      out[x] = red / 255;
      out[plane + x] = green / 255;
      out[2 * plane + x] = blue / 255;
    }
  }
  return resized;
}

PreprocessedImage Preprocess(const Image& image, ResizeMode mode, int input_size, int patch_size) {
  PreprocessedImage result;
  result.grid = ChoosePatchGrid(image.size(), mode, input_size, patch_size);
  result.input = ResizeAntialiased(image, result.grid.input_height(), result.grid.input_width());
  const size_t plane = result.input.size() / kChannels;
  for (int channel = 0; channel < kChannels; ++channel) {
    const absl::Span<float> values(&result.input[channel * plane], plane);
    float low = values[0], high = values[0];
    for (float& value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
      value = (value - kMean[channel]) / kStd[channel];
    }
    result.contrast = std::max(result.contrast, high - low);
  }
  return result;
}

}  // namespace objectdino
