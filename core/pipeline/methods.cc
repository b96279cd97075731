// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/methods.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "core/heads/object_map.h"
#include "core/objects/lost.h"
#include "core/objects/normalized_cut.h"
#include "core/pipeline/objects_of_map.h"

namespace objectdino {
namespace {

constexpr double kTauCut = 0.6;          // DINOv2, measured (defaults.md section 2)
constexpr double kTauPublished = -0.35;  // tuned by the authors for DINOv3
constexpr double kTauTokenCut = 0.85;    // DINOv2, measured; the published 0.2 links every pair

bool IsConstant(absl::Span<const float> map) {
  const auto [low, high] = std::minmax_element(map.begin(), map.end());
  return low == high || *low == *high;
}

// The cut of the evidence's affinity at options.tau, or at `tau_of_method`.
absl::StatusOr<NormalizedCut> Cut(const HeadEvidence& evidence, const PatchGrid& grid,
                                  const GroundOptions& options, double tau_of_method,
                                  std::vector<Warning>& warnings) {
  NormalizedCutOptions cut_options;
  cut_options.tau = options.tau != GroundOptions::kTauOfMethod ? options.tau : tau_of_method;
  OBJECTDINO_ASSIGN_OR_RETURN(NormalizedCut cut,
                              CutGraph(evidence.affinity, grid.size(), cut_options));
  if (cut.degenerate) {
    warnings.push_back({WarningCode::kLowConfidence,
                        absl::StrCat("the patch graph is degenerate at affinity threshold ",
                                     cut_options.tau, "; cut at ", cut.tau, " instead")});
  }
  return cut;
}

// The eigenvector, turned so that `seed` lies above its mean.
std::vector<float> OrientedMap(const std::vector<double>& fiedler, int seed) {
  const double mean =
      std::accumulate(fiedler.begin(), fiedler.end(), 0.0) / static_cast<double>(fiedler.size());
  const double sign = fiedler[seed] > mean ? 1 : -1;
  std::vector<float> map;
  map.reserve(fiedler.size());
  for (const double value : fiedler) map.push_back(static_cast<float>(sign * value));
  return MinMaxScale(map);
}

// OBJECT_DINO, CLS_ATTENTION.
Discovery ThresholdMap(HeadEvidence evidence, const PatchGrid& grid) {
  Discovery found;
  found.regions = RegionsAboveOtsu(evidence.objectness, grid);
  found.objectness = std::move(evidence.objectness);
  return found;
}

// OBJECT_DINO_CUT, OBJECT_DINO_PAPER.
absl::StatusOr<Discovery> CutHeads(HeadEvidence evidence, const PatchGrid& grid,
                                   const GroundOptions& options) {
  const bool paper = options.method == Method::kObjectDinoPaper;
  Discovery found;
  found.objectness = std::move(evidence.objectness);
  if (IsConstant(found.objectness)) return found;
  OBJECTDINO_ASSIGN_OR_RETURN(
      const NormalizedCut cut,
      Cut(evidence, grid, options, paper ? kTauPublished : kTauCut, found.warnings));
  const Bipartition sides = paper || options.seed_rule
                                ? SplitBySeed(cut.fiedler)
                                : SplitByWeights(cut.fiedler, evidence.cls_attention);
  found.regions = {RegionAt(sides.mask, sides.seed, found.objectness, grid)};
  return found;
}

absl::StatusOr<Discovery> TokenCut(const HeadEvidence& evidence, const PatchGrid& grid,
                                   const GroundOptions& options) {
  Discovery found;
  if (IsConstant(evidence.affinity)) return found;
  OBJECTDINO_ASSIGN_OR_RETURN(const NormalizedCut cut,
                              Cut(evidence, grid, options, kTauTokenCut, found.warnings));
  const Bipartition sides = SplitBySeed(cut.fiedler);
  found.objectness = OrientedMap(cut.fiedler, sides.seed);
  found.regions = {RegionAt(sides.mask, sides.seed, found.objectness, grid)};
  return found;
}

Discovery Lost(const HeadEvidence& evidence, const PatchGrid& grid) {
  const SeedExpansion expansion = ExpandSeed(evidence.affinity, grid.size());
  Discovery found;
  found.objectness = MinMaxScale(expansion.similarity);
  if (std::all_of(expansion.mask.begin(), expansion.mask.end(), [](uint8_t m) { return m != 0; })) {
    found.warnings.push_back({WarningCode::kLowConfidence,
                              "every patch is like the seed: the object is the whole image"});
  }
  found.regions = {RegionAt(expansion.mask, expansion.seed, found.objectness, grid)};
  return found;
}

absl::StatusOr<Discovery> RunMethod(HeadEvidence evidence, const PatchGrid& grid,
                                    const GroundOptions& options) {
  switch (options.method) {
    case Method::kObjectDino:
    case Method::kClsAttention:
      return ThresholdMap(std::move(evidence), grid);
    case Method::kObjectDinoCut:
    case Method::kObjectDinoPaper:
      return CutHeads(std::move(evidence), grid, options);
    case Method::kTokenCut:
      return TokenCut(evidence, grid, options);
    case Method::kLost:
      return Lost(evidence, grid);
  }
  return absl::InternalError("a method without an implementation");
}

}  // namespace

absl::StatusOr<Discovery> DiscoverObjects(HeadEvidence evidence, const PatchGrid& grid,
                                          const GroundOptions& options) {
  OBJECTDINO_ASSIGN_OR_RETURN(Discovery found, RunMethod(std::move(evidence), grid, options));
  if (IsConstant(found.objectness)) {
    found.objectness.assign(grid.size(), 0.0f);
    found.regions.clear();
    found.warnings.push_back({WarningCode::kLowConfidence, "the objectness map has no contrast"});
  }
  return found;
}

}  // namespace objectdino
