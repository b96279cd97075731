// SPDX-License-Identifier: Apache-2.0
// LOST: an object grown from the patch that is like the fewest others (Simeoni et al. 2021).
//
// Letters: N patches; A = products of all pairs of patches, here of their keys. The degree of a
// patch is the number of positive entries of its row. The seed is the patch of the lowest degree
// (lowest index on ties): an object is assumed to cover less of the picture than what is around it.
// Among the `candidates` patches of the lowest degree, those with A[seed, .] > 0 expand the seed. A
// patch belongs to the object's side when its products with them add up to more than zero.
// Thread-safety: pure function. Cost: O(N^2).
#ifndef OBJECTDINO_CORE_OBJECTS_LOST_H_
#define OBJECTDINO_CORE_OBJECTS_LOST_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace objectdino {

constexpr int kLostCandidates = 100;  // k, as published

struct SeedExpansion {
  int seed = 0;
  std::vector<float> similarity;  // [N]: sum of the products with the patches that expand the seed
  std::vector<uint8_t> mask;      // [N]: 1 where the similarity is above zero, and at the seed
};

// `products` is row-major [N, N], N >= 1. REQUIRES: products.size() == patches * patches, finite,
// candidates >= 1.
SeedExpansion ExpandSeed(absl::Span<const float> products, int patches,
                         int candidates = kLostCandidates);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_LOST_H_
