// SPDX-License-Identifier: Apache-2.0
// An 8-bit RGB image in memory.
#ifndef OBJECTDINO_CORE_IMAGE_IMAGE_H_
#define OBJECTDINO_CORE_IMAGE_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/patch_grid.h"

namespace objectdino {

// Row-major, interleaved: rgb[(y * width + x) * 3 + channel]. Thread-safety: a plain value.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> rgb;  // height * width * 3

  ImageSize size() const { return {height, width}; }
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_IMAGE_IMAGE_H_
