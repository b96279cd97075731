// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/objects/lost: the patches are ranked by counting, for each, those before it.
#ifndef OBJECTDINO_TESTS_REFERENCE_LOST_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_LOST_REFERENCE_H_

#include <cstdint>
#include <vector>

namespace objectdino::reference {

struct Expansion {
  int seed = -1;
  std::vector<int> expanding;      // ascending
  std::vector<double> similarity;  // [N]
  std::vector<uint8_t> mask;       // [N]
};

inline Expansion ExpandSeed(const std::vector<float>& products, int patches, int candidates) {
  const auto positive = [&](int i, int j) { return products[i * patches + j] > 0; };
  std::vector<int> degree(patches, 0);
  for (int i = 0; i < patches; ++i) {
    for (int j = 0; j < patches; ++j) degree[i] += positive(i, j) ? 1 : 0;
  }
  std::vector<int> rank(patches, 0);
  for (int i = 0; i < patches; ++i) {
    for (int j = 0; j < patches; ++j) {
      if (degree[j] < degree[i] || (degree[j] == degree[i] && j < i)) ++rank[i];
    }
  }
  Expansion expansion;
  for (int i = 0; i < patches; ++i) {
    if (rank[i] == 0) expansion.seed = i;
  }
  for (int i = 0; i < patches; ++i) {
    if (rank[i] < candidates && positive(expansion.seed, i)) expansion.expanding.push_back(i);
  }
  for (int j = 0; j < patches; ++j) {
    double sum = 0;
    for (const int i : expansion.expanding) sum += products[i * patches + j];
    expansion.similarity.push_back(sum);
    expansion.mask.push_back(sum > 0 || j == expansion.seed ? 1 : 0);
  }
  return expansion;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_LOST_REFERENCE_H_
