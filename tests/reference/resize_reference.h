// SPDX-License-Identifier: Apache-2.0
// Naive twin of ResizeAntialiased: the triangle filter as two dense matrices, in double.
#ifndef OBJECTDINO_TESTS_REFERENCE_RESIZE_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_RESIZE_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/image/image.h"

namespace objectdino::reference {

// [output][input]: row i weighs every input pixel by its distance from the centre of output i.
inline std::vector<std::vector<double>> TriangleMatrix(int input, int output) {
  const double scale = static_cast<double>(input) / output;
  const double support = std::max(1.0, scale);
  std::vector<std::vector<double>> matrix(output, std::vector<double>(input));
  for (int i = 0; i < output; ++i) {
    double sum = 0;
    for (int j = 0; j < input; ++j) {
      const double distance = std::abs((j + 0.5) - (i + 0.5) * scale);
      sum += matrix[i][j] = std::max(0.0, 1.0 - distance / support);
    }
    for (double& weight : matrix[i]) weight /= sum;
  }
  return matrix;
}

// [3, height, width] in [0, 1].
inline std::vector<double> Resize(const Image& image, int height, int width) {
  const auto vertical = TriangleMatrix(image.height, height);
  const auto horizontal = TriangleMatrix(image.width, width);
  std::vector<double> resized;
  for (int channel = 0; channel < 3; ++channel) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        double sum = 0;
        for (int row = 0; row < image.height; ++row) {
          for (int col = 0; col < image.width; ++col) {
            sum += vertical[y][row] * horizontal[x][col] *
                   image.rgb[(row * image.width + col) * 3 + channel];
          }
        }
        resized.push_back(sum / 255);
      }
    }
  }
  return resized;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_RESIZE_REFERENCE_H_
