// SPDX-License-Identifier: Apache-2.0
#include "core/objects/regions.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "opencv2/core.hpp"
#include "opencv2/imgproc.hpp"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// A header around `mask`, not a copy; OpenCV only reads it.
cv::Mat MatOf(absl::Span<const uint8_t> mask, const PatchGrid& grid) {
  OBJECTDINO_CHECK(mask.size() == static_cast<size_t>(grid.size()));
  return cv::Mat(grid.rows, grid.cols, CV_8U, const_cast<uint8_t*>(mask.data()));
}

// [rows, cols], 0 outside, else the component's number in no promised order.
cv::Mat1i LabelComponents(absl::Span<const uint8_t> mask, const PatchGrid& grid) {
  cv::Mat1i labels;
  cv::connectedComponents(MatOf(mask, grid), labels, /*connectivity=*/4, CV_32S);
  return labels;
}

void AddPatch(int patch, absl::Span<const float> weights, Region& region) {
  region.mask[patch] = 1;
  ++region.patches;
  region.weight += weights[patch];
}

}  // namespace

std::vector<Region> ConnectedRegions(absl::Span<const uint8_t> mask,
                                     absl::Span<const float> weights, const PatchGrid& grid) {
  OBJECTDINO_CHECK(weights.size() == mask.size());
  const cv::Mat1i labels = LabelComponents(mask, grid);
  std::vector<Region> regions;
  std::vector<int> region_of_label(mask.size() + 1, -1);
  for (int patch = 0; patch < grid.size(); ++patch) {
    const int label = labels(patch / grid.cols, patch % grid.cols);
    if (label == 0) continue;
    int& region = region_of_label[label];
    if (region == -1) {
      region = static_cast<int>(regions.size());
      regions.push_back({.mask = std::vector<uint8_t>(mask.size(), 0)});
    }
    AddPatch(patch, weights, regions[region]);
  }
  return regions;
}

Region RegionAt(absl::Span<const uint8_t> mask, int seed, absl::Span<const float> weights,
                const PatchGrid& grid) {
  OBJECTDINO_CHECK(weights.size() == mask.size() && seed >= 0 && seed < grid.size() &&
                   mask[seed] != 0);
  const cv::Mat1i labels = LabelComponents(mask, grid);
  const int label = labels(seed / grid.cols, seed % grid.cols);
  Region region = {.mask = std::vector<uint8_t>(mask.size(), 0)};
  for (int patch = 0; patch < grid.size(); ++patch) {
    if (labels(patch / grid.cols, patch % grid.cols) == label) AddPatch(patch, weights, region);
  }
  return region;
}

Box RegionBox(absl::Span<const uint8_t> mask, const PatchGrid& grid, ImageSize image) {
  const cv::Rect bounds = cv::boundingRect(MatOf(mask, grid));
  OBJECTDINO_CHECK(!bounds.empty());
  const double pixels_per_col = double{1} * image.width / grid.cols;
  const double pixels_per_row = double{1} * image.height / grid.rows;
  return {.x1 = static_cast<float>(bounds.x * pixels_per_col),
          .y1 = static_cast<float>(bounds.y * pixels_per_row),
          .x2 = static_cast<float>((bounds.x + bounds.width) * pixels_per_col),
          .y2 = static_cast<float>((bounds.y + bounds.height) * pixels_per_row)};
}

Point RegionAnchor(absl::Span<const uint8_t> mask, absl::Span<const float> weights,
                   const PatchGrid& grid, ImageSize image) {
  OBJECTDINO_CHECK(weights.size() == mask.size());
  cv::Mat padded;  // [rows + 2, cols + 2], the grid's border is outside
  cv::copyMakeBorder(MatOf(mask, grid), padded, 1, 1, 1, 1, cv::BORDER_CONSTANT, cv::Scalar(0));
  cv::Mat1f depth;
  cv::distanceTransform(padded, depth, cv::DIST_L1, 3, CV_32F);
  int deepest = -1;
  std::pair<float, float> best(0, 0);  // depth, weight
  for (int patch = 0; patch < grid.size(); ++patch) {
    if (mask[patch] == 0) continue;
    const std::pair<float, float> here(depth(patch / grid.cols + 1, patch % grid.cols + 1),
                                       weights[patch]);
    if (deepest >= 0 && here <= best) continue;
    deepest = patch;
    best = here;
  }
  OBJECTDINO_CHECK(deepest >= 0);
  const int row = deepest / grid.cols;
  const int col = deepest % grid.cols;
  return {.x = static_cast<float>((col + 0.5) * image.width / grid.cols),
          .y = static_cast<float>((row + 0.5) * image.height / grid.rows)};
}

}  // namespace objectdino
