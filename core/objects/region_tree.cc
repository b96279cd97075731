// SPDX-License-Identifier: Apache-2.0
#include "core/objects/region_tree.h"

#include <cmath>
#include <cstddef>
#include <functional>
#include <queue>
#include <set>
#include <tuple>
#include <utility>

#include "Eigen/Core"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

struct Node {
  std::vector<int> patches;  // empty once merged into another node
  Eigen::VectorXd sum;       // [D] of the patches' vectors
  std::set<int> neighbours;
};

class Tree {
 public:
  Tree(absl::Span<const float> vectors, int width, const PatchGrid& grid) {
    nodes_.reserve(2 * static_cast<size_t>(grid.size()));
    for (int patch = 0; patch < grid.size(); ++patch) {
      const Eigen::Map<const Eigen::VectorXf> row(
          vectors.data() + static_cast<size_t>(patch) * width, width);
      nodes_.push_back({{patch}, row.cast<double>(), {}});
    }
    for (int patch = 0; patch < grid.size(); ++patch) {
      if (patch % grid.cols + 1 < grid.cols) Link(patch, patch + 1);
      if (patch + grid.cols < grid.size()) Link(patch, patch + grid.cols);
    }
  }

  // Merges the cheapest pair and returns the new node's patches; nothing when one node is left.
  const std::vector<int>* MergeNext() {
    while (!pairs_.empty()) {
      const auto [cost, order, a, b] = pairs_.top();
      pairs_.pop();
      if (nodes_[a].patches.empty() || nodes_[b].patches.empty()) continue;  // merged meanwhile
      return &Merge(a, b).patches;
    }
    return nullptr;
  }

 private:
  void Link(int a, int b) {
    nodes_[a].neighbours.insert(b);
    nodes_[b].neighbours.insert(a);
    pairs_.emplace(Cost(nodes_[a], nodes_[b]), next_order_++, a, b);
  }

  static double Cost(const Node& a, const Node& b) {
    const auto size_a = static_cast<double>(a.patches.size());
    const auto size_b = static_cast<double>(b.patches.size());
    return (a.sum / size_a - b.sum / size_b).squaredNorm() *
           std::sqrt(size_a * size_b / (size_a + size_b));
  }

  const Node& Merge(int a, int b) {
    const int merged = static_cast<int>(nodes_.size());
    std::set<int> neighbours = std::move(nodes_[a].neighbours);
    neighbours.merge(nodes_[b].neighbours);
    neighbours.erase(a);
    neighbours.erase(b);
    Node node{std::exchange(nodes_[a].patches, {}), std::move(nodes_[a].sum), {}};
    node.patches.insert(node.patches.end(), nodes_[b].patches.begin(), nodes_[b].patches.end());
    node.sum += nodes_[b].sum;
    nodes_[b] = {};
    nodes_.push_back(std::move(node));
    for (const int neighbour : neighbours) {
      nodes_[neighbour].neighbours.erase(a);
      nodes_[neighbour].neighbours.erase(b);
      Link(neighbour, merged);
    }
    return nodes_[merged];
  }

  using Pair = std::tuple<double, int, int, int>;  // cost, order of forming, the two nodes
  std::vector<Node> nodes_;
  std::priority_queue<Pair, std::vector<Pair>, std::greater<>> pairs_;
  int next_order_ = 0;
};

}  // namespace

std::vector<Region> TreeRegions(absl::Span<const float> vectors, int width,
                                absl::Span<const float> weights, const PatchGrid& grid,
                                int min_patches, int max_patches) {
  const auto patches = static_cast<size_t>(grid.size());
  OBJECTDINO_CHECK(vectors.size() == patches * width && weights.size() == patches);
  Tree tree(vectors, width, grid);
  std::vector<Region> regions;
  while (const std::vector<int>* merged = tree.MergeNext()) {
    const auto size = static_cast<int>(merged->size());
    if (size < min_patches || size > max_patches) continue;
    Region region{.mask = std::vector<uint8_t>(patches, 0), .patches = size};
    for (const int patch : *merged) {
      region.mask[patch] = 1;
      region.weight += weights[patch];
    }
    regions.push_back(std::move(region));
  }
  return regions;
}

}  // namespace objectdino
