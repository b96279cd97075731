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
#include "core/objects/object_regions.h"
#include "core/objects/otsu.h"
#include "core/objects/recursive_cut.h"
#include "core/pipeline/model_defaults.h"
#include "core/pipeline/objects_of_map.h"

namespace objectdino {
namespace {

bool IsConstant(absl::Span<const float> map) {
  const auto [low, high] = std::minmax_element(map.begin(), map.end());
  return low == high || *low == *high;
}

// A cut of the patch graph, and how to go on from it.
struct Cut {
  NormalizedCutOptions options;
  NormalizedCut first;
  SideRule choose_side;
};

// Cuts the evidence's affinity, which must outlive the result.
absl::StatusOr<Cut> CutAffinity(const HeadEvidence& evidence, const PatchGrid& grid, double tau,
                                bool seed_rule, std::vector<Warning>& warnings) {
  Cut cut;
  cut.options.tau = tau;
  OBJECTDINO_ASSIGN_OR_RETURN(cut.first, CutGraph(evidence.affinity, grid.size(), cut.options));
  if (cut.first.degenerate) {
    warnings.push_back({WarningCode::kLowConfidence,
                        absl::StrCat("the patch graph is degenerate at affinity threshold ",
                                     cut.options.tau, "; cut at ", cut.first.tau, " instead")});
  }
  cut.choose_side = [&evidence, seed_rule](absl::Span<const double> fiedler,
                                           absl::Span<const int> patches) {
    if (seed_rule) return SplitBySeed(fiedler);
    std::vector<float> attention;
    for (const int patch : patches) attention.push_back(evidence.cls_attention[patch]);
    return SplitByWeights(fiedler, attention);
  };
  return cut;
}

// Fills found.regions; found.objectness is there.
absl::Status CutObjects(const HeadEvidence& evidence, const Cut& cut, const PatchGrid& grid,
                        const GroundOptions& options, Discovery& found) {
  RecursiveCutOptions recursion;
  recursion.cut = cut.options;
  recursion.max_regions = options.max_objects;
  recursion.min_patches = MinPatches(options, grid);
  recursion.stop_objectness = OtsuThreshold(found.objectness);
  OBJECTDINO_ASSIGN_OR_RETURN(
      found.regions, CutRecursively(evidence.affinity, cut.first.fiedler, found.objectness, grid,
                                    cut.choose_side, recursion));
  return absl::OkStatus();
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

Discovery ObjectDino(HeadEvidence evidence, const PatchGrid& grid, const GroundOptions& options) {
  Discovery found;
  found.regions = ObjectRegions(evidence.objectness, grid, MinPatches(options, grid));
  found.objectness = std::move(evidence.objectness);
  return found;
}

Discovery ClsAttentionAlone(HeadEvidence evidence, const PatchGrid& grid) {
  Discovery found;
  found.regions = RegionsAboveOtsu(evidence.objectness, evidence.objectness, grid);
  found.objectness = std::move(evidence.objectness);
  return found;
}

// OBJECT_DINO_CUT, OBJECT_DINO_PAPER.
absl::StatusOr<Discovery> CutHeads(HeadEvidence evidence, const PatchGrid& grid,
                                   const GroundOptions& options, double tau) {
  const bool paper = options.method == Method::kObjectDinoPaper;
  Discovery found;
  found.objectness = std::move(evidence.objectness);
  if (IsConstant(found.objectness)) return found;
  OBJECTDINO_ASSIGN_OR_RETURN(
      const Cut cut, CutAffinity(evidence, grid, tau, paper || options.seed_rule, found.warnings));
  OBJECTDINO_RETURN_IF_ERROR(CutObjects(evidence, cut, grid, options, found));
  return found;
}

absl::StatusOr<Discovery> TokenCut(const HeadEvidence& evidence, const PatchGrid& grid,
                                   const GroundOptions& options, double tau) {
  Discovery found;
  if (IsConstant(evidence.affinity)) return found;
  OBJECTDINO_ASSIGN_OR_RETURN(const Cut cut,
                              CutAffinity(evidence, grid, tau, /*seed_rule=*/true, found.warnings));
  found.objectness = OrientedMap(cut.first.fiedler, SplitBySeed(cut.first.fiedler).seed);
  OBJECTDINO_RETURN_IF_ERROR(CutObjects(evidence, cut, grid, options, found));
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
                                    const GroundOptions& options, const ModelConfig& model) {
  switch (options.method) {
    case Method::kObjectDino:
      return ObjectDino(std::move(evidence), grid, options);
    case Method::kClsAttention:
      return ClsAttentionAlone(std::move(evidence), grid);
    case Method::kObjectDinoCut:
    case Method::kObjectDinoPaper:
      return CutHeads(std::move(evidence), grid, options, TauOf(options, model));
    case Method::kTokenCut:
      return TokenCut(evidence, grid, options, TauOf(options, model));
    case Method::kLost:
      return Lost(evidence, grid);
  }
  return absl::InternalError("a method without an implementation");
}

}  // namespace

absl::StatusOr<Discovery> DiscoverObjects(HeadEvidence evidence, const PatchGrid& grid,
                                          const GroundOptions& options, const ModelConfig& model) {
  OBJECTDINO_ASSIGN_OR_RETURN(Discovery found,
                              RunMethod(std::move(evidence), grid, options, model));
  if (IsConstant(found.objectness)) {
    found.objectness.assign(grid.size(), 0.0f);
    found.regions.clear();
    found.warnings.push_back({WarningCode::kNoClearObject, "the objectness map has no contrast"});
  }
  return found;
}

}  // namespace objectdino
