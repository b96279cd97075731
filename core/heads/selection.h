// SPDX-License-Identifier: Apache-2.0
// Which heads are object-centric: cluster the heads of all layers, take the cluster that the last
// layer votes for.
//
// Torch-free: descriptors come as spans, rows in layer-major order (0,0), (0,1), ...
// Thread-safety: pure functions. Cost: O(heads^2 N) for the Gram of k-means, see
// core/math/kmeans.h.
#ifndef OBJECTDINO_CORE_HEADS_SELECTION_H_
#define OBJECTDINO_CORE_HEADS_SELECTION_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/head_ref.h"

namespace objectdino {

// Each column of row-major [rows, columns] to zero mean and unit (population) deviation; a constant
// column is only centred. scikit-learn's StandardScaler: statistics in float64, result in float32.
std::vector<float> StandardizeColumns(absl::Span<const float> data, int rows, int columns);

struct HeadClusters {
  std::vector<int> labels;            // [L * H], as k-means numbers them
  std::vector<HeadRef> object_heads;  // ascending, never empty
};

// `descriptors` is [layers * heads, patches]. Standardises the columns, clusters with `clusters`
// centres and takes the cluster with most heads of the last layer; on a tie the one that appears
// first over (layer, head), which does not depend on how clusters are numbered (algorithm.md 1.4).
// INVALID_ARGUMENT from KMeans.
absl::StatusOr<HeadClusters> SelectObjectHeads(absl::Span<const float> descriptors, int layers,
                                               int heads, int patches, int clusters, uint32_t seed);

// The labels, renumbered so that they do not depend on how k-means numbers its clusters: 0 is the
// object-centric cluster, the others follow in order of first appearance over (layer, head).
// [L * H], every number below the largest occurs. REQUIRES: `clusters` from SelectObjectHeads.
std::vector<int> StableLabels(const HeadClusters& clusters, int heads);

// All heads of the last two layers (the only one of a one-layer model).
std::vector<HeadRef> PresetHeads(int layers, int heads);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_SELECTION_H_
