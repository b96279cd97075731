// SPDX-License-Identifier: Apache-2.0
#include "core/image/mask_png.h"

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "opencv2/core.hpp"
#include "opencv2/imgcodecs.hpp"

#include "core/base/status_macros.h"

namespace objectdino {

absl::StatusOr<std::string> EncodeMaskPng(absl::Span<const uint8_t> mask, ImageSize size) {
  OBJECTDINO_CHECK(!mask.empty() && mask.size() == static_cast<size_t>(size.height) * size.width);
  try {
    const cv::Mat1b bits(size.height, size.width, const_cast<uint8_t*>(mask.data()));  // only read
    std::vector<uint8_t> png;
    if (!cv::imencode(".png", bits * 255, png)) {
      return absl::InternalError("the PNG encoder failed");
    }
    return std::string(png.begin(), png.end());
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("the PNG encoder failed: ", error.err));
  }
}

}  // namespace objectdino
