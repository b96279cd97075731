// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/head_evidence.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"

#include "core/base/status_macros.h"
#include "core/heads/affinity.h"
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

}  // namespace

absl::StatusOr<HeadEvidence> ReadHeads(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                                       const ModelConfig& model, const GroundOptions& options) {
  const bool paper = options.method == Method::kObjectDinoPaper;
  const bool describe = paper || options.head_selection == HeadSelection::kClustered;
  std::vector<at::Tensor> unit(taps.size());  // [N, 3, H, d] each
  std::vector<at::Tensor> rows;               // [H, N] each
  for (const LayerTap& tap : taps) {
    const bool needed = describe || tap.layer + 2 >= model.layers;
    if (!needed) continue;
    unit[tap.layer] = UnitPatches(tap, model.prefix_tokens());
    if (!describe) continue;
    rows.push_back(
        paper ? ExactDescriptors(unit[tap.layer], 1 / std::sqrt(double{1} * model.head_dim()))
              : LinearDescriptors(unit[tap.layer]));
  }
  std::vector<float> descriptors;  // [L H, N]
  if (describe) descriptors = ToVector(at::cat(rows));

  HeadEvidence evidence;
  OBJECTDINO_ASSIGN_OR_RETURN(evidence.heads,
                              ChooseHeads(descriptors, grid.size(), model, options));
  evidence.cls_attention = ClsAttention(taps, model.prefix_tokens());
  evidence.objectness =
      paper ? PublishedObjectness(descriptors, model.heads, grid.size(), evidence.heads)
            : MinMaxScale(AnchoredEvidence(unit, evidence.heads, evidence.cls_attention, grid));
  if (options.method != Method::kObjectDino) evidence.affinity = HeadAffinity(unit, evidence.heads);
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(evidence.objectness.begin(), evidence.objectness.end(), finite)) {
    return absl::InternalError("the backbone produced values that are not finite");
  }
  return evidence;
}

}  // namespace objectdino
