// SPDX-License-Identifier: Apache-2.0
// One vector for an object: the mean of its patches' L2-normalised final tokens, L2-normalised
// again.
#ifndef OBJECTDINO_CORE_OBJECTS_OBJECT_EMBEDDING_H_
#define OBJECTDINO_CORE_OBJECTS_OBJECT_EMBEDDING_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace objectdino {

// `patch_tokens` is row-major [N, width]: patches only, after the backbone's final layer norm.
// `mask` is [N]. Returns [width] of unit length (zeros when the mask is empty). Thread-safety:
// pure. Cost: O(patches * width).
std::vector<float> PoolObjectEmbedding(absl::Span<const float> patch_tokens, int width,
                                       absl::Span<const uint8_t> mask);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_OBJECT_EMBEDDING_H_
