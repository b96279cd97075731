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

namespace objectdino {
namespace {

std::vector<float> ToVector(const at::Tensor& tensor) {
  const at::Tensor cpu = tensor.to(at::kCPU, at::kFloat).contiguous();
  const float* data = cpu.const_data_ptr<float>();
  return std::vector<float>(data, data + cpu.numel());
}

absl::StatusOr<std::vector<HeadRef>> ChooseHeads(const std::vector<float>& descriptors, int patches,
                                                 const ModelConfig& model,
                                                 const GroundOptions& options) {
  if (options.head_selection == HeadSelection::kPreset)
    return PresetHeads(model.layers, model.heads);
  OBJECTDINO_ASSIGN_OR_RETURN(HeadClusters clusters,
                              SelectObjectHeads(descriptors, model.layers, model.heads, patches,
                                                options.clusters, options.seed));
  return std::move(clusters.object_heads);
}

std::vector<float> ExactRows(const std::vector<at::Tensor>& unit, const ModelConfig& model) {
  const double temperature = 1 / std::sqrt(static_cast<double>(model.head_dim()));
  std::vector<at::Tensor> rows;
  rows.reserve(unit.size());
  for (const at::Tensor& layer : unit) rows.push_back(ExactDescriptors(layer, temperature));
  return ToVector(at::cat(rows));
}

}  // namespace

absl::StatusOr<HeadEvidence> ReadHeads(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                                       const ModelConfig& model, const GroundOptions& options) {
  const bool paper = options.method == Method::kObjectDinoPaper;
  const bool cluster = options.head_selection == HeadSelection::kClustered;
  std::vector<at::Tensor> on_cpu;  // [N, 3, H, d] a layer; keeps alive what `vectors` borrows
  std::vector<HeadVectors> vectors;
  std::vector<float> descriptors;  // [L H, N], or empty
  for (const LayerTap& tap : taps) {
    on_cpu.push_back(
        tap.qkv[0].slice(0, model.prefix_tokens()).to(at::kCPU, at::kFloat).contiguous());
    const at::Tensor& qkv = on_cpu.back();
    const bool needed = cluster || tap.layer + 2 >= model.layers;
    vectors.push_back(
        !needed ? HeadVectors()
                : MakeHeadVectors({qkv.const_data_ptr<float>(), static_cast<size_t>(qkv.numel())},
                                  grid.size(), model.heads, model.head_dim()));
    if (cluster && !paper) {  // now, while the layer is in the cache
      const std::vector<float> rows = LinearDescriptors(vectors.back());
      descriptors.insert(descriptors.end(), rows.begin(), rows.end());
    }
  }
  std::vector<at::Tensor> unit;  // [N, 3, H, d] a layer
  if (options.method != Method::kObjectDino) {
    for (const LayerTap& tap : taps) unit.push_back(UnitPatches(tap, model.prefix_tokens()));
  }
  if (paper) descriptors = ExactRows(unit, model);

  HeadEvidence evidence;
  OBJECTDINO_ASSIGN_OR_RETURN(evidence.heads,
                              ChooseHeads(descriptors, grid.size(), model, options));
  evidence.cls_attention = ClsAttention(taps, model.prefix_tokens());
  evidence.objectness =
      paper ? PublishedObjectness(descriptors, model.heads, grid.size(), evidence.heads)
            : MinMaxScale(AnchoredEvidence(vectors, evidence.heads, evidence.cls_attention, grid));
  if (options.method != Method::kObjectDino) evidence.affinity = HeadAffinity(unit, evidence.heads);
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(evidence.objectness.begin(), evidence.objectness.end(), finite)) {
    return absl::InternalError("the backbone produced values that are not finite");
  }
  return evidence;
}

}  // namespace objectdino
