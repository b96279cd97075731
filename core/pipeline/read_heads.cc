// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/read_heads.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"

#include "core/base/status_macros.h"
#include "core/heads/affinity.h"
#include "core/heads/cls_attention.h"
#include "core/heads/head_vectors.h"
#include "core/heads/object_map.h"
#include "core/heads/selection.h"
#include "core/heads/similarity.h"
#include "core/heads/to_vector.h"
#include "core/heads/value_features.h"

namespace objectdino {
namespace {

// The patches of every layer in the two forms that are asked for, each made on first use. L layers,
// N patches, R components, H heads, d head dimension.
class Layers {
 public:
  Layers(absl::Span<const LayerTap> taps, const PatchGrid& grid, const ModelConfig& model,
         const AttentionComponents& components)
      : taps_(taps),
        grid_(grid),
        model_(model),
        components_(components),
        on_cpu_(taps.size()),
        vectors_(taps.size()),
        unit_(taps.size()) {}

  const HeadVectors& Vectors(int layer) {
    if (!on_cpu_[layer].defined()) {
      on_cpu_[layer] = PatchComponents(taps_[layer], model_.prefix_tokens(), components_)
                           .to(at::kCPU, at::kFloat)
                           .contiguous();  // [N, R, H, d]
      const at::Tensor& patches = on_cpu_[layer];
      vectors_[layer] = MakeHeadVectors(
          {patches.const_data_ptr<float>(), static_cast<size_t>(patches.numel())}, grid_.size(),
          model_.heads, model_.head_dim(), static_cast<int>(patches.size(1)));
    }
    return vectors_[layer];
  }

  const at::Tensor& Unit(int layer) {
    if (!unit_[layer].defined()) {
      unit_[layer] = UnitPatches(taps_[layer], model_.prefix_tokens(), components_);
    }
    return unit_[layer];  // [N, R, H, d]
  }

  // [L H, N]
  std::vector<float> LinearRows() {
    std::vector<float> descriptors;
    for (int layer = 0; layer < model_.layers; ++layer) {
      const std::vector<float> rows = LinearDescriptors(Vectors(layer));  // [H, N]
      descriptors.insert(descriptors.end(), rows.begin(), rows.end());
    }
    return descriptors;
  }

  // [L H, N]
  std::vector<float> ExactRows(double temperature) {
    std::vector<at::Tensor> rows;
    rows.reserve(taps_.size());
    for (int layer = 0; layer < model_.layers; ++layer) {
      rows.push_back(ExactDescriptors(Unit(layer), temperature));  // [H, N]
    }
    return ToVector(at::cat(rows));
  }

  // Entry of each layer that has one of `heads`; the others are empty, or what is there already.
  absl::Span<const HeadVectors> VectorsOf(absl::Span<const HeadRef> heads) {
    for (const HeadRef& ref : heads) Vectors(ref.layer);
    return vectors_;
  }
  absl::Span<const at::Tensor> UnitOf(absl::Span<const HeadRef> heads) {
    for (const HeadRef& ref : heads) Unit(ref.layer);
    return unit_;
  }

 private:
  const absl::Span<const LayerTap> taps_;
  const PatchGrid& grid_;
  const ModelConfig& model_;
  const AttentionComponents components_;
  std::vector<at::Tensor> on_cpu_;  // [N, R, H, d] a layer; keeps alive what `vectors_` borrows
  std::vector<HeadVectors> vectors_;
  std::vector<at::Tensor> unit_;
};

// [L, H, 3, N], of q, k and v whatever the method uses.
std::vector<float> AllMaps(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                           const ModelConfig& model) {
  Layers layers(taps, grid, model, AttentionComponents());
  std::vector<float> maps;
  for (int layer = 0; layer < model.layers; ++layer) {
    const std::vector<float> of_layer = SelfSimilarityMaps(layers.Vectors(layer));  // [H, 3, N]
    maps.insert(maps.end(), of_layer.begin(), of_layer.end());
  }
  return maps;
}

// [L H, N]; empty where nothing reads them.
std::vector<float> Descriptors(Layers& layers, const ModelConfig& model,
                               const GroundOptions& options) {
  if (options.HasExactDescriptors()) {
    const double published = 1 / std::sqrt(static_cast<double>(model.head_dim()));
    return layers.ExactRows(options.temperature.value_or(published));
  }
  if (options.head_selection == HeadSelection::kPreset) return {};
  return layers.LinearRows();
}

// Fills the heads and their clusters.
absl::Status ChooseHeads(const std::vector<float>& descriptors, int patches,
                         const ModelConfig& model, const GroundOptions& options,
                         HeadEvidence& evidence) {
  if (options.head_selection == HeadSelection::kPreset) {
    evidence.heads = PresetHeads(model.layers, model.heads);
  } else {
    OBJECTDINO_ASSIGN_OR_RETURN(HeadClusters clusters,
                                SelectObjectHeads(descriptors, model.layers, model.heads, patches,
                                                  options.clusters, options.seed));
    evidence.clusters = StableLabels(clusters, model.heads);
    evidence.heads = std::move(clusters.object_heads);
  }
  if (options.layer_scope == LayerScope::kLastLayer) {
    std::erase_if(evidence.heads,
                  [&model](const HeadRef& ref) { return ref.layer != model.layers - 1; });
  }
  return absl::OkStatus();
}

// Fills the heads, their objectness, and for the cuts their affinity.
absl::Status ReadSelectedHeads(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                               const ModelConfig& model, const GroundOptions& options,
                               HeadEvidence& evidence) {
  Layers layers(taps, grid, model, options.components);
  const std::vector<float> descriptors = Descriptors(layers, model, options);  // [L H, N]
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(descriptors));
  OBJECTDINO_RETURN_IF_ERROR(ChooseHeads(descriptors, grid.size(), model, options, evidence));
  if (options.method == Method::kObjectDinoPaper) {
    evidence.objectness =
        PublishedObjectness(descriptors, model.heads, grid.size(), evidence.heads);
  } else {
    const std::vector<float> anchored = AnchoredEvidence(
        layers.VectorsOf(evidence.heads), evidence.heads, evidence.cls_attention, grid);
    OBJECTDINO_RETURN_IF_ERROR(CheckFinite(anchored));
    evidence.objectness = MinMaxScale(anchored);
  }
  if (options.method != Method::kObjectDino) {
    evidence.affinity = HeadAffinity(layers.UnitOf(evidence.heads), evidence.heads);
  }
  if (options.embedding_source == EmbeddingSource::kObjectHeads) {
    evidence.head_values = ValueFeatures(taps, model.prefix_tokens(), evidence.heads);
    OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.head_values));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFinite(absl::Span<const float> values) {
  const auto finite = [](float value) { return std::isfinite(value); };
  if (std::all_of(values.begin(), values.end(), finite)) return absl::OkStatus();
  return absl::InternalError("the backbone produced values that are not finite");
}

absl::StatusOr<HeadEvidence> ReadHeads(absl::Span<const LayerTap> taps, const PatchGrid& grid,
                                       const ModelConfig& model, const GroundOptions& options) {
  HeadEvidence evidence;
  evidence.clusters.assign(static_cast<size_t>(model.layers) * model.heads, -1);
  if (options.head_maps) evidence.maps = AllMaps(taps, grid, model);
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.maps));
  evidence.cls_attention = ClsAttention(taps, model.prefix_tokens());
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.cls_attention));
  switch (options.method) {
    case Method::kObjectDino:
    case Method::kObjectDinoCut:
    case Method::kObjectDinoPaper:
      OBJECTDINO_RETURN_IF_ERROR(ReadSelectedHeads(taps, grid, model, options, evidence));
      break;
    case Method::kTokenCut:
      evidence.affinity = KeyAffinity(taps.back(), model.prefix_tokens());
      break;
    case Method::kLost:
      evidence.affinity = KeyProducts(taps.back(), model.prefix_tokens());
      break;
    case Method::kClsAttention:
      evidence.objectness = MinMaxScale(ClsAttention(taps, model.prefix_tokens(), /*layers=*/1));
      break;
  }
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.objectness));
  OBJECTDINO_RETURN_IF_ERROR(CheckFinite(evidence.affinity));
  return evidence;
}

}  // namespace objectdino
