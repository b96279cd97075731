// SPDX-License-Identifier: Apache-2.0
// What a caller can ask of one grounding.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_PIPELINE_GROUND_OPTIONS_H_
#define OBJECTDINO_CORE_PIPELINE_GROUND_OPTIONS_H_

#include <cstdint>
#include <limits>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "core/base/attention_components.h"
#include "core/image/preprocess.h"
#include "core/objects/pixel_mask.h"
#include "core/weights/model_config.h"

namespace objectdino {

enum class Method {
  kObjectDino,  // anchored objectness, Otsu, connected regions (the default; defaults.md section 2)
  kObjectDinoCut,    // normalised cut on the selected heads, side chosen by CLS attention
  kObjectDinoPaper,  // normalised cut with the published settings: exact descriptors, seed rule,
                     // tau -0.35
  // Methods to compare with. They look at the last layer as a whole: no head is selected.
  kTokenCut,      // normalised cut on the keys, seed rule
  kLost,          // the patch with the fewest similar ones, and what is like it
  kClsAttention,  // what the CLS token attends to, Otsu, connected regions
};

constexpr Method kAllMethods[] = {
    Method::kObjectDino, Method::kObjectDinoCut, Method::kObjectDinoPaper,
    Method::kTokenCut,   Method::kLost,          Method::kClsAttention};

absl::string_view MethodName(Method method);  // "OBJECT_DINO"

enum class HeadSelection {
  kClustered,  // k-means over the heads of all layers, the cluster with most heads of the last
               // layer
  kPreset,     // all heads of the last two layers, no clustering
};

enum class LayerScope {
  kAll,        // the selected heads of every layer count
  kLastLayer,  // only those of the last layer, of which there is always one
};

// What embeddings are made of. Which one tells objects apart better: docs/discovery.md.
enum class EmbeddingSource {
  kFinalLayer,   // the final tokens, D wide: comparable across all images of a model
  kObjectHeads,  // the values of the selected heads: comparable where the same heads were selected,
                 // which head_selection kPreset makes sure of
};
// Of an encoded pixel mask: COCO compressed RLE, or a PNG file of one channel, 0 and 255.
enum class MaskFormat { kCocoRle, kPng };

// Which of the options with a default per model the caller set, to whatever value; how far the
// others can be trusted: model_defaults.h. An affinity threshold was set where `tau` is.
struct ChosenOptions {
  bool input_size = false;
  bool head_selection = false;  // or its clusters
};

// A plain value. Every field has a default; Validate names the field and the range that is broken.
struct GroundOptions {
  Method method = Method::kObjectDino;
  HeadSelection head_selection = HeadSelection::kClustered;
  int clusters = 5;                // k of k-means, 2 .. 64 and at most the number of heads
  uint32_t seed = 42;              // of k-means
  AttentionComponents components;  // of the heads: descriptors, objectness, affinity; at least one
  LayerScope layer_scope = LayerScope::kAll;
  // Softmax temperature of the descriptors that are clustered, (0, 100]. Unset: 1/sqrt(d) for
  // kObjectDinoPaper, no softmax at all (linear descriptors) for the others. Set, the descriptors
  // are exact, which takes an N x N map a head and component: O(L H N^2 d) instead of O(L H N d).
  std::optional<double> temperature;
  int input_size = 224;  // pixels: side (square) or longest side (aspect), patch_size .. 1024, 40
                         // patches where N x N maps are made
  ResizeMode resize_mode = ResizeMode::kSquare;
  int max_objects = 10;  // 1 .. 100
  double min_score = 0;  // 0 .. 1, objects below are left out
  int min_patches = 0;   // 0 = 1 % of the patches (0.4 % from 400 patches on); regions smaller than
                         // this are left out (never the first)
  double tau = kTauOfMethod;  // affinity threshold of the cuts, -1 .. 1; kTauOfMethod = see TauOf
  bool seed_rule =
      false;  // kObjectDinoCut: choose the side by the published seed rule instead of CLS attention
  bool mirror = false;     // kObjectDino, kClsAttention: average the map with that of the mirror
                           // image; twice the time, and mirrored images give mirrored answers
  bool proposals = false;  // add the regions of a merge tree of patches: more objects are found,
                           // and more that are none
  EmbeddingSource embedding_source = EmbeddingSource::kFinalLayer;
  bool patch_embeddings = false;  // fill Grounding::patch_vectors
  bool head_maps = false;         // fill Grounding::head_maps
  bool pixel_masks = false;       // fill GroundedObject::pixel_mask, as the next two say
  MaskRefinement mask_refinement = MaskRefinement::kEdgeAware;
  MaskFormat mask_format = MaskFormat::kCocoRle;
  // Of all pixel masks of an image; where they would be larger, OUT_OF_RANGE ends the work.
  int64_t max_mask_bytes = std::numeric_limits<int64_t>::max();
  ChosenOptions chosen = {};

  static constexpr double kTauOfMethod = -2;  // outside the valid range on purpose
  static constexpr int kMaxInputSize = 1024;
  // N x N maps, and the cuts' eigen solver can need O(N^3) on unlucky graphs.
  static constexpr int kMaxQuadraticSide = 40;  // patches

  // The method chooses attention heads (by `head_selection`).
  bool SelectsHeads() const;
  // The heads are clustered by exact descriptors, not by linear ones.
  bool HasExactDescriptors() const;

  // INVALID_ARGUMENT: "clusters has no effect on method LOST", where nothing of what is asked for
  // looks at the option of that name; names are those of the wire.
  absl::Status CheckEffect(absl::string_view option) const;

  // INVALID_ARGUMENT: "clusters must be in [2, 64], got 1", or the message of CheckEffect for an
  // option that is not at its default.
  absl::Status Validate(const ModelConfig& model) const;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_GROUND_OPTIONS_H_
