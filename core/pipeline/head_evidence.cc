// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/head_evidence.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"

#include "core/base/status_macros.h"
#include "core/heads/affinity.h"
#include "core/heads/head_vectors.h"
#include "core/heads/object_map.h"
#include "core/heads/selection.h"
#include "core/heads/similarity.h"
#include "core/heads/to_vector.h"

namespace objectdino {
namespace {

// Fills the heads and their clusters.
absl::Status ChooseHeads(const std::vector<float>& descriptors, int patches,
                         const ModelConfig& model, const GroundOptions& options,
                         HeadEvidence& evidence) {
  if (options.head_selection == HeadSelection::kPreset) {
    evidence.heads = PresetHeads(model.layers, model.heads);
    evidence.clusters.assign(static_cast<size_t>(model.layers) * model.heads, -1);
    return absl::OkStatus();
  }
  OBJECTDINO_ASSIGN_OR_RETURN(HeadClusters clusters,
                              SelectObjectHeads(descriptors, model.layers, model.heads, patches,
                                                options.clusters, options.seed));
  evidence.clusters = StableLabels(clusters, model.heads);
  evidence.heads = std::move(clusters.object_heads);
  return absl::OkStatus();
}

std::vector<float> ExactRows(const std::vector<at::Tensor>& unit, const ModelConfig& model) {
  const double temperature = 1 / std::sqrt(static_cast<double>(model.head_dim()));
  std::vector<at::Tensor> rows;
  rows.reserve(unit.size());
  for (const at::Tensor& layer : unit) rows.push_back(ExactDescriptors(layer, temperature));
  return ToVector(at::cat(rows));
}

}  // namespace

absl::Status CheckFinite(absl::Span<const float> values) {
  const auto finite = [](float value) { return std::isfinite(value); };
  if (std::all_of(values.begin(), values.end(), finite)) return absl::OkStatus();
  return absl::InternalError("the backbone produced values that are not finite");
}

absl::StatusOr<HeadEvidence> ReadHeads(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                                       const ModelConfig& model, const GroundOptions& options) {
  const bool paper = options.method == Method::kObjectDinoPaper;
  const bool cluster = options.head_selection == HeadSelection::kClustered;
  std::vector<at::Tensor> on_cpu;  // [N, 3, H, d] a layer; keeps alive what `vectors` borrows
  std::vector<HeadVectors> vectors;
  std::vector<float> descriptors;  // [L H, N], or empty
  HeadEvidence evidence;
  for (const LayerTap& tap : taps) {
    vectors.emplace_back();
    const bool needed = !paper && (cluster || tap.layer + 2 >= model.layers);
    if (!needed && !options.head_maps) continue;
    on_cpu.push_back(
        tap.qkv[0].slice(0, model.prefix_tokens()).to(at::kCPU, at::kFloat).contiguous());
    const at::Tensor& qkv = on_cpu.back();
    vectors.back() =
        MakeHeadVectors({qkv.const_data_ptr<float>(), static_cast<size_t>(qkv.numel())},
                        grid.size(), model.heads, model.head_dim());
    if (options.head_maps) {
      const std::vector<float> maps = SelfSimilarityMaps(vectors.back());
      evidence.maps.insert(evidence.maps.end(), maps.begin(), maps.end());
    }
    if (needed && cluster) {  // now, while the layer is in the cache
      const std::vector<float> rows = LinearDescriptors(vectors.back());
      descriptors.insert(descriptors.end(), rows.begin(), rows.end());
    }
  }
  std::vector<at::Tensor> unit(taps.size());  // [N, 3, H, d] a layer, those that are needed
  if (paper) {
    for (const LayerTap& tap : taps) unit[tap.layer] = UnitPatches(tap, model.prefix_tokens());
    descriptors = ExactRows(unit, model);
  }
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(descriptors));
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.maps));

  OBJECTDINO_RETURN_IF_ERROR(ChooseHeads(descriptors, grid.size(), model, options, evidence));
  evidence.cls_attention = ClsAttention(taps, model.prefix_tokens());
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.cls_attention));
  if (paper) {
    evidence.objectness =
        PublishedObjectness(descriptors, model.heads, grid.size(), evidence.heads);
  } else {
    const std::vector<float> anchored =
        AnchoredEvidence(vectors, evidence.heads, evidence.cls_attention, grid);
    OBJECTDINO_RETURN_IF_ERROR(CheckFinite(anchored));
    evidence.objectness = MinMaxScale(anchored);
  }
  if (options.method == Method::kObjectDino) return evidence;
  for (const HeadRef& ref : evidence.heads) {
    if (!unit[ref.layer].defined()) {
      unit[ref.layer] = UnitPatches(taps[ref.layer], model.prefix_tokens());
    }
  }
  evidence.affinity = HeadAffinity(unit, evidence.heads);
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.affinity));
  return evidence;
}

}  // namespace objectdino
