// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/mask.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

#include "core/base/status_macros.h"
#include "core/image/decode.h"
#include "core/math/rle.h"

namespace objectdino {
namespace {

absl::Status CheckSize(int64_t height, int64_t width, ImageSize size) {
  if (height == size.height && width == size.width && height > 0 && width > 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("an object's mask is %dx%d (height x width), not %dx%d", height, width,
                      size.height, size.width));
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> DecodeMask(const v1::Mask& mask, ImageSize size) {
  OBJECTDINO_RETURN_IF_ERROR(CheckSize(mask.height(), mask.width(), size));
  if (!mask.has_png()) return DecodeCocoRle(mask.coco_rle(), size.height, size.width);
  DecodeOptions options;
  options.max_pixels = int64_t{size.height} * size.width;
  options.max_dimension = std::max(size.height, size.width);
  OBJECTDINO_ASSIGN_OR_RETURN(const DecodedImage decoded, DecodeImage(mask.png(), options));
  OBJECTDINO_RETURN_IF_ERROR(CheckSize(decoded.image.height, decoded.image.width, size));
  std::vector<uint8_t> pixels(decoded.image.rgb.size() / 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = decoded.image.rgb[3 * i] != 0 ? 1 : 0;
  return pixels;
}

}  // namespace objectdino
