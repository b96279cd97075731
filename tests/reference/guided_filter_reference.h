// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/objects/guided_filter: every window summed by itself, every fit solved by
// itself.
#ifndef OBJECTDINO_TESTS_REFERENCE_GUIDED_FILTER_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_GUIDED_FILTER_REFERENCE_H_

#include <cstdint>
#include <vector>

#include <Eigen/Dense>

#include "core/base/patch_grid.h"

namespace objectdino::reference {

// The pixel that stands at position `i` of an axis mirrored at both ends: ... 1 0 | 0 1 2 | 2 1 ...
inline int Mirrored(int i, int size) {
  const int period = 2 * size;
  i = (i % period + period) % period;
  return i < size ? i : period - 1 - i;
}

inline std::vector<double> GuidedFilter(const std::vector<uint8_t>& rgb, ImageSize image,
                                        int radius_rows, int radius_cols, double ridge,
                                        const std::vector<float>& map) {
  const auto at = [&](int y, int x) {
    return Mirrored(y, image.height) * image.width + Mirrored(x, image.width);
  };
  const auto colour = [&](int i) -> Eigen::Vector3d {
    return Eigen::Vector3d(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]) / 255.0;
  };
  const double count = (2 * radius_rows + 1) * (2 * radius_cols + 1);
  const size_t pixels = map.size();
  std::vector<Eigen::Vector3d> slope(pixels);
  std::vector<double> offset(pixels);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      Eigen::Vector3d mean = Eigen::Vector3d::Zero();
      double mean_map = 0;
      for (int dy = -radius_rows; dy <= radius_rows; ++dy) {
        for (int dx = -radius_cols; dx <= radius_cols; ++dx) {
          mean += colour(at(y + dy, x + dx)) / count;
          mean_map += map[at(y + dy, x + dx)] / count;
        }
      }
      Eigen::Matrix3d covariance = ridge * Eigen::Matrix3d::Identity();
      Eigen::Vector3d cross = Eigen::Vector3d::Zero();
      for (int dy = -radius_rows; dy <= radius_rows; ++dy) {
        for (int dx = -radius_cols; dx <= radius_cols; ++dx) {
          const Eigen::Vector3d c = colour(at(y + dy, x + dx)) - mean;
          covariance += c * c.transpose() / count;
          cross += c * (map[at(y + dy, x + dx)] - mean_map) / count;
        }
      }
      slope[at(y, x)] = covariance.ldlt().solve(cross);
      offset[at(y, x)] = mean_map - slope[at(y, x)].dot(mean);
    }
  }
  std::vector<double> result(pixels);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int dy = -radius_rows; dy <= radius_rows; ++dy) {
        for (int dx = -radius_cols; dx <= radius_cols; ++dx) {
          const int window = at(y + dy, x + dx);
          result[at(y, x)] += (slope[window].dot(colour(at(y, x))) + offset[window]) / count;
        }
      }
    }
  }
  return result;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_GUIDED_FILTER_REFERENCE_H_
