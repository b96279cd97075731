// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heads_tile.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include <opencv2/imgproc.hpp>

namespace objectdino {
namespace {

const cv::Scalar kOtherHeads(150, 150, 150);  // without clusters

cv::Scalar ClusterColour(size_t cluster) {
  const auto& c =
      kClusterColours[cluster == 0 ? 0 : 1 + (cluster - 1) % (kClusterColours.size() - 1)];
  return {static_cast<double>(c[0]), static_cast<double>(c[1]), static_cast<double>(c[2])};
}

}  // namespace

std::vector<HeadGroup> GroupsOf(const HeadAnswer& answer) {
  std::vector<HeadGroup> groups = {{"object-centric", ClusterColour(0), true, {}}};
  for (size_t cluster = 1; cluster < answer.cluster_sizes.size(); ++cluster) {
    groups.push_back({absl::StrCat("cluster ", cluster), ClusterColour(cluster), false, {}});
  }
  if (!answer.clustered()) groups.push_back({"other", kOtherHeads, false, {}});
  for (int head = 0; head < static_cast<int>(answer.clusters.size()); ++head) {
    const int group = answer.clustered()            ? answer.clusters[head]
                      : answer.object_centric[head] ? 0
                                                    : 1;
    groups[group].heads.push_back(head);
  }
  const auto is_empty = [](const HeadGroup& group) { return group.heads.empty(); };
  groups.erase(std::remove_if(groups.begin(), groups.end(), is_empty), groups.end());
  return groups;
}

std::vector<double> MeanMap(const HeadAnswer& answer, const std::vector<int>& heads,
                            HeadComponent component) {
  const size_t count = answer.patches();
  const bool mean = component == HeadComponent::kMean || component == HeadComponent::kAll;
  const size_t first = mean ? 0 : static_cast<size_t>(component);
  const size_t last = mean ? 2 : first;
  std::vector<double> values(count, 0.0);
  for (const int head : heads) {
    for (size_t r = first; r <= last; ++r) {
      const float* map = &answer.maps[(static_cast<size_t>(head) * 3 + r) * count];
      for (size_t j = 0; j < count; ++j) values[j] += map[j];
    }
  }
  const auto maps = static_cast<double>(heads.size() * (last - first + 1));
  for (double& value : values) value /= maps;
  return values;
}

cv::Size MapSize(const HeadAnswer& answer, int side) {
  const double patch = double{1} * side / std::max(answer.rows, answer.cols);
  const int pixels = std::max(1, static_cast<int>(std::lround(patch)));
  return {answer.cols * pixels, answer.rows * pixels};
}

cv::Mat Viridis(const cv::Mat& levels) {
  cv::Mat colours;
  cv::applyColorMap(levels, colours, cv::COLORMAP_VIRIDIS);
  cv::cvtColor(colours, colours, cv::COLOR_BGR2RGB);
  return colours;
}

void DrawMap(const std::vector<double>& values, const HeadAnswer& answer, cv::Mat target) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double least = *low;
  const double scale = *high > least ? 255 / (*high - least) : 0;
  cv::Mat levels(answer.rows, answer.cols, CV_8UC1);
  std::transform(values.begin(), values.end(), levels.begin<uint8_t>(),
                 [&](double value) { return cv::saturate_cast<uint8_t>((value - least) * scale); });
  cv::resize(Viridis(levels), target, target.size(), 0, 0, cv::INTER_NEAREST);
}

void DrawFrame(const cv::Rect& tile, const HeadGroup& group, cv::Mat& canvas) {
  const auto inner = [&tile](int distance) {
    return cv::Rect(tile.x + distance, tile.y + distance, tile.width - 2 * distance,
                    tile.height - 2 * distance);
  };
  // Both kinds end at the same distance from the maps.
  canvas(inner(group.object_centric ? 0 : kStrongFrame - kThinFrame)) = group.colour;
  canvas(inner(kStrongFrame)) = kPaper;
}

}  // namespace objectdino
