// SPDX-License-Identifier: Apache-2.0
// Images made on the spot.
#ifndef OBJECTDINO_TESTS_SUPPORT_SCENES_H_
#define OBJECTDINO_TESTS_SUPPORT_SCENES_H_

#include <cstdint>
#include <random>
#include <vector>

#include "core/image/image.h"

namespace objectdino::testing {

// A dark noisy background with a bright square.
inline Image Scene(int height, int width, unsigned seed = 1) {
  std::mt19937 generator(seed);
  Image image{height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool inside =
          y > height / 3 && y < 2 * height / 3 && x > width / 2 && x < 3 * width / 4;
      for (int c = 0; c < 3; ++c) {
        image.rgb[(static_cast<size_t>(y) * width + x) * 3 + c] =
            static_cast<uint8_t>((inside ? 200 : 40) + generator() % 30);
      }
    }
  }
  return image;
}

// Every channel of every pixel by itself.
inline Image Noise(int height, int width) {
  std::mt19937 generator(7);
  Image image{height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3)};
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(generator() % 256);
  return image;
}

// From black at the left to white at the right.
inline Image Gradient(int height, int width) {
  Image image{height, width, {}};
  for (int i = 0; i < height * width * 3; ++i) {
    image.rgb.push_back(static_cast<uint8_t>(255 * (i / 3 % width) / width));
  }
  return image;
}

inline Image Flat(int height, int width) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3, 128)};
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_SCENES_H_
