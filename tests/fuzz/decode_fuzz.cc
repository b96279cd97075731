// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

#include "core/image/decode.h"
#include "core/image/header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  objectdino::DecodeOptions options;
  options.max_pixels = 1 << 16;
  options.max_dimension = 1 << 12;
  options.allow_truncated = true;
  const auto header = objectdino::ReadImageHeader(bytes);
  const auto decoded = objectdino::DecodeImage(bytes, options);
  // What decodes has a header, keeps the limits and has all its pixels.
  if (decoded.ok()) {
    const objectdino::Image& image = decoded->image;
    const size_t pixels = size_t{1} * image.height * image.width;
    if (!header.ok() || pixels > 1 << 16 || image.rgb.size() != 3 * pixels) __builtin_trap();
  }
  return 0;
}
