// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/objects/region_tree: in each step, tries every pair of regions.
#ifndef OBJECTDINO_TESTS_REFERENCE_REGION_TREE_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_REGION_TREE_REFERENCE_H_

#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "core/base/patch_grid.h"

namespace objectdino::reference {

inline bool Touch(const std::vector<int>& a, const std::vector<int>& b, int cols) {
  for (const int p : a) {
    for (const int q : b) {
      if (std::abs(p / cols - q / cols) + std::abs(p % cols - q % cols) == 1) return true;
    }
  }
  return false;
}

inline double MergeCost(const std::vector<int>& a, const std::vector<int>& b,
                        const std::vector<float>& vectors, int width) {
  double distance = 0;
  for (int d = 0; d < width; ++d) {
    double mean_a = 0;
    double mean_b = 0;
    for (const int p : a) mean_a += double{vectors[p * width + d]} / double(a.size());
    for (const int q : b) mean_b += double{vectors[q * width + d]} / double(b.size());
    distance += (mean_a - mean_b) * (mean_a - mean_b);
  }
  return distance * std::sqrt(double(a.size() * b.size()) / double(a.size() + b.size()));
}

// Patches of the merged regions, in the order of merging; N - 1 of them.
inline std::vector<std::vector<int>> MergeTree(const std::vector<float>& vectors, int width,
                                               const PatchGrid& grid) {
  std::vector<std::vector<int>> regions;
  for (int patch = 0; patch < grid.size(); ++patch) regions.push_back({patch});
  std::vector<std::vector<int>> merged;
  while (regions.size() > 1) {
    double best = std::numeric_limits<double>::infinity();
    size_t best_a = 0;
    size_t best_b = 0;
    for (size_t a = 0; a < regions.size(); ++a) {
      for (size_t b = a + 1; b < regions.size(); ++b) {
        if (!Touch(regions[a], regions[b], grid.cols)) continue;
        const double cost = MergeCost(regions[a], regions[b], vectors, width);
        if (cost < best) {
          best = cost;
          best_a = a;
          best_b = b;
        }
      }
    }
    std::vector<int> both = regions[best_a];
    both.insert(both.end(), regions[best_b].begin(), regions[best_b].end());
    regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(best_b));
    regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(best_a));
    regions.push_back(both);
    merged.push_back(both);
  }
  return merged;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_REGION_TREE_REFERENCE_H_
