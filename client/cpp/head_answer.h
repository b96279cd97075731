// SPDX-License-Identifier: Apache-2.0
// What an answer says of the attention heads, checked: the one that HeadsSheet and HeadsText show.
#ifndef OBJECTDINO_CLIENT_CPP_HEAD_ANSWER_H_
#define OBJECTDINO_CLIENT_CPP_HEAD_ANSWER_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// Letters: L layers, H heads of a layer; a head's index is layer * H + head.
struct HeadAnswer {
  int layers = 0;
  int heads = 0;
  int rows = 0;
  int cols = 0;
  std::vector<float> maps;           // [L, H, 3, rows, cols], all finite: queries, keys, values
  std::vector<int> clusters;         // [L * H]: 0 = the object-centric one; all -1 without clusters
  std::vector<int> cluster_sizes;    // heads of each cluster, 1 at least; empty with preset heads
  std::vector<bool> object_centric;  // [L * H]
  int object_heads = 0;              // ones in `object_centric`

  bool clustered() const { return !cluster_sizes.empty(); }
  // Values of a map.
  size_t patches() const { return static_cast<size_t>(rows) * cols; }
};

// INVALID_ARGUMENT: the answer has no head analysis with F32 maps, is too large to be one, or
// contradicts itself. Thread-safety: pure function. Cost: O(answer).
absl::StatusOr<HeadAnswer> ReadHeadAnswer(const v1::GroundResponse& response);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_HEAD_ANSWER_H_
