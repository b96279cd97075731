// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/finish.h"

#include <iterator>
#include <utility>

#include "core/base/status_macros.h"
#include "core/pipeline/guard.h"
#include "core/pipeline/methods.h"
#include "core/pipeline/objects_of_map.h"
#include "core/pipeline/pixel_masks.h"
#include "core/pipeline/stopwatch.h"

namespace objectdino {
namespace {

void MoveTo(std::vector<Warning>& all, std::vector<Warning> warnings) {
  all.insert(all.end(), std::make_move_iterator(warnings.begin()),
             std::make_move_iterator(warnings.end()));
}

// N patches, D width.
absl::StatusOr<Grounding> Finish(PreparedImage& prepared, InferredImage& inferred,
                                 const Image& image, const ModelConfig& model,
                                 absl::FunctionRef<bool()> stop) {
  Stopwatch watch;
  const GroundOptions& options = prepared.options;
  const PatchGrid& grid = prepared.input.grid;
  HeadEvidence& evidence = inferred.evidence;
  Grounding result;
  result.image = prepared.size;
  result.grid = grid;
  result.timings.preprocess_ms = prepared.preprocess_ms;
  result.timings.backbone_ms = inferred.backbone_ms;
  result.timings.heads_ms = inferred.heads_ms;
  result.timings.batch_size = inferred.batch_size;
  result.warnings = std::move(prepared.warnings);
  MoveTo(result.warnings, std::move(inferred.warnings));
  result.cls_attention = evidence.cls_attention;
  result.heads = std::move(evidence.heads);
  const std::vector<float> head_values = std::move(evidence.head_values);
  result.head_clusters = std::move(evidence.clusters);
  result.head_maps = std::move(evidence.maps);

  Discovery found;  // objectness [N], regions
  if (!prepared.blank && !inferred.alike) {
    OBJECTDINO_ASSIGN_OR_RETURN(found, DiscoverObjects(std::move(evidence), grid, options, model));
  }
  found.objectness.resize(grid.size(), 0.0f);
  MoveTo(result.warnings, std::move(found.warnings));
  const PatchVectors unit_tokens{inferred.tokens, model.width};  // [N, D]
  const PatchVectors unit_values{head_values,
                                 static_cast<int>(result.heads.size()) * model.head_dim()};
  const bool of_heads = options.embedding_source == EmbeddingSource::kObjectHeads;
  const PatchVectors& embedding = of_heads ? unit_values : unit_tokens;
  result.objects = ObjectsOfRegions(std::move(found.regions), found.objectness, unit_tokens,
                                    embedding, grid, prepared.size, options);
  result.objectness = std::move(found.objectness);
  result.embedding_source = options.embedding_source;
  result.embedding_width = embedding.width;
  if (options.patch_embeddings) {
    result.patch_vectors.assign(embedding.values.begin(), embedding.values.end());
  }
  result.timings.objects_ms = watch.Lap();
  if (options.pixel_masks) {
    OBJECTDINO_RETURN_IF_ERROR(AddPixelMasks(image, options, stop, result));
    result.timings.masks_ms = watch.Lap();
  }
  return result;
}

}  // namespace

absl::StatusOr<Grounding> FinishImage(PreparedImage prepared, InferredImage inferred,
                                      const Image& image, const ModelConfig& model,
                                      absl::FunctionRef<bool()> stop) {
  return Guard<absl::StatusOr<Grounding>>(
      [&] { return Finish(prepared, inferred, image, model, stop); });
}

}  // namespace objectdino
