// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

#include "core/math/rle.h"

// Two bytes of size, then a string to decode; the same bytes as a mask make the round trip.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const int height = data[0];
  const int width = data[1];
  const absl::string_view rle(reinterpret_cast<const char*>(data + 2), size - 2);
  const auto decoded = objectdino::DecodeCocoRle(rle, height, width);
  const size_t pixels = size_t{1} * height * width;
  if (decoded.ok() && decoded->size() != pixels) __builtin_trap();

  std::vector<uint8_t> mask(pixels);
  for (size_t i = 0; i < pixels; ++i) mask[i] = data[i % size] >> (i / size % 8) & 1;
  const auto again =
      objectdino::DecodeCocoRle(objectdino::EncodeCocoRle(mask, height, width), height, width);
  if (!again.ok() || *again != mask) __builtin_trap();
  return 0;
}
