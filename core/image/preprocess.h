// SPDX-License-Identifier: Apache-2.0
// From an RGB image to the network's normalised input.
//
// Resizing is the antialiased bilinear (triangle) filter of torchvision and PIL, support max(1,
// scale), separable, in float without rounding between the passes: equal to
// torch.nn.functional.interpolate(mode="bilinear", antialias=True, align_corners=False) on values
// in [0, 1] (algorithm.md 1.1). Then (value - mean) / std with ImageNet's statistics.
// Thread-safety: pure functions. Cost: O(height * width * 3) for the first pass.
#ifndef OBJECTDINO_CORE_IMAGE_PREPROCESS_H_
#define OBJECTDINO_CORE_IMAGE_PREPROCESS_H_

#include <vector>

#include "absl/status/statusor.h"

#include "core/base/patch_grid.h"
#include "core/image/image.h"

namespace objectdino {

enum class ResizeMode {
  kSquare,  // input_size x input_size, aspect ratio not kept (the paper's)
  kAspect,  // the longest side becomes about input_size, aspect ratio kept to the nearest patch
};

// The grid for an image. Square: input_size / patch_size each way. Aspect: round(side * input_size
// / longest / patch_size) each way (round half to even), at least 1. REQUIRES: image not empty,
// input_size >= patch_size.
PatchGrid ChoosePatchGrid(ImageSize image, ResizeMode mode, int input_size, int patch_size);

// [3, height, width] in [0, 1], channels R, G, B. REQUIRES: image not empty; height, width >= 1.
std::vector<float> ResizeAntialiased(const Image& image, int height, int width);

struct PreprocessedImage {
  PatchGrid grid;
  std::vector<float> input;  // [3, grid.input_height(), grid.input_width()], normalised
  float contrast =
      0;  // largest max - min over a channel after resizing, in [0, 1]; 0 = uniform image
};

// REQUIRES as above.
PreprocessedImage Preprocess(const Image& image, ResizeMode mode, int input_size, int patch_size);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_IMAGE_PREPROCESS_H_
