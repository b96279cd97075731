// SPDX-License-Identifier: Apache-2.0
// Naive twins of core/objects/regions: flood fill, and the depth of a patch by trying all others.
#ifndef OBJECTDINO_TESTS_REFERENCE_REGIONS_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_REGIONS_REFERENCE_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/base/patch_grid.h"

namespace objectdino::reference {

using Mask = std::vector<uint8_t>;

// Moves the component of (row, col) from `from` to `to`.
inline void Flood(int row, int col, const PatchGrid& grid, Mask& from, Mask& to) {
  if (row < 0 || row >= grid.rows || col < 0 || col >= grid.cols) return;
  const int patch = row * grid.cols + col;
  if (from[patch] == 0) return;
  from[patch] = 0;
  to[patch] = 1;
  Flood(row - 1, col, grid, from, to);
  Flood(row + 1, col, grid, from, to);
  Flood(row, col - 1, grid, from, to);
  Flood(row, col + 1, grid, from, to);
}

inline std::vector<Mask> Components(Mask mask, const PatchGrid& grid) {
  std::vector<Mask> components;
  for (int patch = 0; patch < grid.size(); ++patch) {
    if (mask[patch] == 0) continue;
    components.emplace_back(mask.size(), 0);
    Flood(patch / grid.cols, patch % grid.cols, grid, mask, components.back());
  }
  return components;
}

// City-block distance to the nearest outside patch, where all beyond the grid is outside.
inline int Depth(const Mask& mask, int patch, const PatchGrid& grid) {
  const int row = patch / grid.cols;
  const int col = patch % grid.cols;
  int depth = std::min({row + 1, grid.rows - row, col + 1, grid.cols - col});
  for (int other = 0; other < grid.size(); ++other) {
    if (mask[other] != 0) continue;
    depth = std::min(depth, std::abs(other / grid.cols - row) + std::abs(other % grid.cols - col));
  }
  return depth;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_REGIONS_REFERENCE_H_
