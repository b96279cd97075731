// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/objects_of_map.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/objects/object_embedding.h"
#include "core/objects/object_score.h"
#include "core/objects/otsu.h"
#include "core/objects/region_tree.h"

namespace objectdino {
namespace {

// Measured together (docs/discovery.md).
constexpr int kFineGridPatches = 400;
constexpr double kMinArea = 0.01;
constexpr double kMinAreaOfFineGrid = 0.004;
constexpr double kMaxProposalArea = 0.9;
constexpr double kDistinctIou = 0.5;

struct Candidate {
  Region region;
  double score = 0;
  Box box;
};

// The candidates that become objects, best first.
std::vector<Candidate> Select(std::vector<Candidate> candidates, const GroundOptions& options) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  std::vector<Candidate> selected;
  for (Candidate& candidate : candidates) {
    if (static_cast<int>(selected.size()) == options.max_objects) break;
    if (candidate.score < options.min_score) break;
    const bool repeats =
        std::any_of(selected.begin(), selected.end(), [&candidate](const Candidate& better) {
          return BoxIou(candidate.box, better.box) > kDistinctIou;
        });
    if (!repeats) selected.push_back(std::move(candidate));
  }
  return selected;
}

// Separability of the map by all regions, times each one's share of their weight.
std::vector<double> ShareScores(const std::vector<Region>& regions,
                                absl::Span<const float> objectness) {
  std::vector<uint8_t> found(objectness.size(), 0);
  double total = 0;
  for (const Region& region : regions) {
    for (size_t i = 0; i < found.size(); ++i) found[i] |= region.mask[i];
    total += region.weight;
  }
  const double separability = Separability(objectness, found);
  std::vector<double> scores;
  scores.reserve(regions.size());
  for (const Region& region : regions) {
    scores.push_back(total > 0 ? separability * region.weight / total : 0);
  }
  return scores;
}

}  // namespace

int MinPatches(const GroundOptions& options, const PatchGrid& grid) {
  if (options.min_patches > 0) return options.min_patches;
  const double share = grid.size() < kFineGridPatches ? kMinArea : kMinAreaOfFineGrid;
  return std::max(1, static_cast<int>(std::ceil(share * grid.size())));
}

std::vector<GroundedObject> ObjectsOfRegions(std::vector<Region> regions,
                                             absl::Span<const float> objectness,
                                             const PatchVectors& tokens,
                                             const PatchVectors& embedding, const PatchGrid& grid,
                                             ImageSize image, const GroundOptions& options) {
  const int min_patches = MinPatches(options, grid);
  std::vector<Candidate> candidates;
  const auto add = [&](std::vector<Region>& from, RegionKind kind) {
    std::vector<double> shares;
    if (!options.SelectsHeads()) shares = ShareScores(from, objectness);
    for (size_t i = 0; i < from.size(); ++i) {
      if (!candidates.empty() && from[i].patches < min_patches) continue;
      const double score =
          shares.empty() ? ObjectScore(objectness, from[i].mask, grid, kind) : shares[i];
      const Box box = RegionBox(from[i].mask, grid, image);
      candidates.push_back({std::move(from[i]), score, box});
    }
  };
  add(regions, RegionKind::kObject);
  if (options.proposals && !candidates.empty()) {
    std::vector<Region> proposals =
        TreeRegions(tokens.values, tokens.width, objectness, grid, min_patches,
                    static_cast<int>(kMaxProposalArea * grid.size()));
    add(proposals, RegionKind::kProposal);
  }

  std::vector<GroundedObject> objects;
  for (Candidate& candidate : Select(std::move(candidates), options)) {
    GroundedObject object;
    object.score = candidate.score;
    object.box = candidate.box;
    object.anchor = RegionAnchor(candidate.region.mask, objectness, grid, image);
    object.patches = candidate.region.patches;
    object.embedding =
        PoolObjectEmbedding(embedding.values, embedding.width, candidate.region.mask);
    object.mask = std::move(candidate.region.mask);
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace objectdino
