// SPDX-License-Identifier: Apache-2.0
#include "core/heads/object_map.h"

#include <algorithm>
#include <map>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// a - b: CLS attention minus the uniform distribution on the outer ring.
std::vector<float> AnchorWeights(absl::Span<const float> cls_attention, const PatchGrid& grid) {
  std::vector<float> weights(cls_attention.begin(), cls_attention.end());
  const auto on_ring = [&grid](int row, int col) {
    return row == 0 || col == 0 || row == grid.rows - 1 || col == grid.cols - 1;
  };
  int ring = 0;
  for (int row = 0; row < grid.rows; ++row) {
    for (int col = 0; col < grid.cols; ++col) ring += on_ring(row, col) ? 1 : 0;
  }
  for (int row = 0; row < grid.rows; ++row) {
    for (int col = 0; col < grid.cols; ++col) {
      if (on_ring(row, col)) weights[row * grid.cols + col] -= 1.0f / static_cast<float>(ring);
    }
  }
  return weights;
}

}  // namespace

std::vector<float> AnchoredEvidence(absl::Span<const HeadVectors> layers,
                                    absl::Span<const HeadRef> heads,
                                    absl::Span<const float> cls_attention, const PatchGrid& grid) {
  OBJECTDINO_CHECK(!heads.empty() && cls_attention.size() == static_cast<size_t>(grid.size()));
  std::map<int, std::vector<int>> heads_of_layer;
  for (const HeadRef& ref : heads) heads_of_layer[ref.layer].push_back(ref.head);
  const std::vector<float> weights = AnchorWeights(cls_attention, grid);
  std::vector<float> evidence(grid.size(), 0.0f);
  for (const auto& [layer, selected] : heads_of_layer) {
    AddEvidence(layers[layer], selected, weights, absl::MakeSpan(evidence));
  }
  const int components = layers[heads.front().layer].components;
  for (float& value : evidence)
    value /= static_cast<float>(components) * static_cast<float>(heads.size());
  return evidence;
}

std::vector<float> PublishedObjectness(absl::Span<const float> descriptors, int heads_per_layer,
                                       int patches, absl::Span<const HeadRef> heads) {
  OBJECTDINO_CHECK(!heads.empty());
  std::vector<float> mean(patches, 0.0f);
  for (const HeadRef& ref : heads) {
    const size_t row = static_cast<size_t>(ref.layer * heads_per_layer + ref.head) * patches;
    for (int j = 0; j < patches; ++j) mean[j] += descriptors[row + j];
  }
  for (float& m : mean) m /= static_cast<float>(heads.size());
  const auto [low, high] = std::minmax_element(mean.begin(), mean.end());
  const float floor = *low;
  const float range = *high - *low + 1e-6f;
  for (float& m : mean) m = 1 - (m - floor) / range;
  return mean;
}

std::vector<float> MinMaxScale(absl::Span<const float> values) {
  std::vector<float> scaled(values.size(), 0.0f);
  if (values.empty()) return scaled;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float range = *high - *low;
  if (!(range > 1e-12f)) return scaled;
  for (size_t i = 0; i < values.size(); ++i) scaled[i] = (values[i] - *low) / range;
  return scaled;
}

std::vector<float> MirrorMean(absl::Span<const float> map, absl::Span<const float> mirrored,
                              const PatchGrid& grid) {
  OBJECTDINO_CHECK(map.size() == mirrored.size() && map.size() == static_cast<size_t>(grid.size()));
  std::vector<float> mean(map.size());
  for (int row = 0; row < grid.rows; ++row) {
    for (int col = 0; col < grid.cols; ++col) {
      const int patch = row * grid.cols + col;
      mean[patch] = (map[patch] + mirrored[row * grid.cols + grid.cols - 1 - col]) / 2;
    }
  }
  return MinMaxScale(mean);
}

}  // namespace objectdino
