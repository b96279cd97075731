// SPDX-License-Identifier: Apache-2.0
// Naive twin of the properties that core/objects/object_score weighs: every patch looks at all
// others.
#ifndef OBJECTDINO_TESTS_REFERENCE_OBJECT_SCORE_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_OBJECT_SCORE_REFERENCE_H_

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/base/patch_grid.h"

namespace objectdino::reference {

inline double MeanWhere(const std::vector<float>& map, const std::vector<bool>& where,
                        double none) {
  double sum = 0;
  int count = 0;
  for (size_t i = 0; i < map.size(); ++i) {
    if (!where[i]) continue;
    sum += map[i];
    ++count;
  }
  return count > 0 ? sum / count : none;
}

// The logistic model's z without the kind of region.
inline double ScoreLogit(const std::vector<float>& map, const std::vector<uint8_t>& mask,
                         const PatchGrid& grid) {
  const size_t n = map.size();
  std::vector<bool> inside(n);
  std::vector<bool> outside(n);
  std::vector<bool> ring(n, false);
  std::vector<bool> everywhere(n, true);
  double total = 0;
  double total_inside = 0;
  int area = 0;
  int border = 0;
  int border_inside = 0;
  for (size_t i = 0; i < n; ++i) {
    const int row = static_cast<int>(i) / grid.cols;
    const int col = static_cast<int>(i) % grid.cols;
    inside[i] = mask[i] != 0;
    outside[i] = mask[i] == 0;
    total += map[i];
    if (inside[i]) total_inside += map[i];
    if (inside[i]) ++area;
    if (row == 0 || col == 0 || row == grid.rows - 1 || col == grid.cols - 1) {
      ++border;
      if (inside[i]) ++border_inside;
    }
    for (size_t j = 0; j < n; ++j) {  // city-block distance 1 or 2 from a patch inside
      const int distance = std::abs(row - static_cast<int>(j) / grid.cols) +
                           std::abs(col - static_cast<int>(j) % grid.cols);
      if (outside[i] && mask[j] != 0 && distance <= 2) ring[i] = true;
    }
  }
  const double mean = MeanWhere(map, everywhere, 0);
  const double in = MeanWhere(map, inside, 0);
  const double log_area = std::log(static_cast<double>(area) / static_cast<double>(n));
  return 2.6 * (in - MeanWhere(map, ring, mean)) + 0.75 * (in - MeanWhere(map, outside, mean)) +
         0.9 * log_area - 0.047 * log_area * log_area + 1.8 * border_inside / border -
         (total > 0 ? 0.82 * total_inside / total : 0) - 0.94;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_OBJECT_SCORE_REFERENCE_H_
