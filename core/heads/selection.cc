// SPDX-License-Identifier: Apache-2.0
#include "core/heads/selection.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/status_macros.h"
#include "core/math/kmeans.h"

namespace objectdino {

std::vector<float> StandardizeColumns(absl::Span<const float> data, int rows, int columns) {
  OBJECTDINO_CHECK(data.size() == static_cast<size_t>(rows) * columns);
  std::vector<double> mean(columns, 0.0);
  std::vector<double> variance(columns, 0.0);
  for (int row = 0; row < rows; ++row) {
    for (int col = 0; col < columns; ++col)
      mean[col] += data[static_cast<size_t>(row) * columns + col];
  }
  for (double& m : mean) m /= rows;
  for (int row = 0; row < rows; ++row) {
    for (int col = 0; col < columns; ++col) {
      const double difference = data[static_cast<size_t>(row) * columns + col] - mean[col];
      variance[col] += difference * difference;
    }
  }
  std::vector<float> scaled(data.size());
  for (int col = 0; col < columns; ++col) {
    const double deviation = std::sqrt(variance[col] / rows);
    const double scale = deviation > 0 ? 1 / deviation : 1;
    for (int row = 0; row < rows; ++row) {
      const size_t i = static_cast<size_t>(row) * columns + col;
      scaled[i] = static_cast<float>((data[i] - mean[col]) * scale);
    }
  }
  return scaled;
}

absl::StatusOr<HeadClusters> SelectObjectHeads(absl::Span<const float> descriptors, int layers,
                                               int heads, int patches, int clusters,
                                               uint32_t seed) {
  const int rows = layers * heads;
  const std::vector<float> scaled = StandardizeColumns(descriptors, rows, patches);
  KMeansOptions options;
  options.clusters = clusters;
  options.seed = seed;
  OBJECTDINO_ASSIGN_OR_RETURN(KMeansResult result, KMeans(scaled, rows, patches, options));

  HeadClusters selected;
  selected.labels = std::move(result.labels);
  std::vector<int> votes(clusters, 0);
  for (int row = rows - heads; row < rows; ++row) ++votes[selected.labels[row]];
  int winner = selected.labels.front();
  for (const int label : selected.labels) {  // in order of first appearance
    if (votes[label] > votes[winner]) winner = label;
  }
  for (int row = 0; row < rows; ++row) {
    if (selected.labels[row] == winner) selected.object_heads.push_back({row / heads, row % heads});
  }
  return selected;
}

std::vector<int> StableLabels(const HeadClusters& clusters, int heads) {
  const HeadRef& object = clusters.object_heads.front();
  std::map<int, int> number_of = {{clusters.labels[object.layer * heads + object.head], 0}};
  std::vector<int> stable;
  stable.reserve(clusters.labels.size());
  for (const int label : clusters.labels) {
    const int next = static_cast<int>(number_of.size());
    stable.push_back(number_of.try_emplace(label, next).first->second);
  }
  return stable;
}

std::vector<HeadRef> PresetHeads(int layers, int heads) {
  std::vector<HeadRef> preset;
  for (int layer = std::max(0, layers - 2); layer < layers; ++layer) {
    for (int head = 0; head < heads; ++head) preset.push_back({layer, head});
  }
  return preset;
}

}  // namespace objectdino
