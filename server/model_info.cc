// SPDX-License-Identifier: Apache-2.0
#include "server/model_info.h"

#include "core/weights/family_name.h"
#include "server/codec.h"
#include "server/ground_request.h"
#include "server/version.h"

namespace objectdino {
namespace {

// Unset stay: affinity_threshold, of which the default method has no use, temperature, since its
// descriptors know none, mask_refinement and mask_format, of which the default outputs have none,
// and min_patches, which depends on the size of the grid.
v1::GroundOptions EncodeDefaults(const GroundOptions& options, const ReplyOptions& reply) {
  v1::GroundOptions out;
  out.add_outputs(v1::OUTPUT_OBJECTS);
  out.add_outputs(v1::OUTPUT_OBJECTNESS);
  out.set_max_objects(static_cast<uint32_t>(options.max_objects));
  out.set_min_score(static_cast<float>(options.min_score));
  out.set_method(EncodeMethod(options.method));
  out.set_head_selection(options.head_selection == HeadSelection::kPreset
                             ? v1::HEAD_SELECTION_PRESET
                             : v1::HEAD_SELECTION_CLUSTERED);
  out.set_clusters(static_cast<uint32_t>(options.clusters));
  out.set_seed(options.seed);
  out.add_components(v1::ATTENTION_COMPONENT_QUERY);
  out.add_components(v1::ATTENTION_COMPONENT_KEY);
  out.add_components(v1::ATTENTION_COMPONENT_VALUE);
  out.set_layer_scope(options.layer_scope == LayerScope::kLastLayer ? v1::LAYER_SCOPE_LAST_LAYER
                                                                    : v1::LAYER_SCOPE_ALL);
  out.set_embedding_source(options.embedding_source == EmbeddingSource::kObjectHeads
                               ? v1::EMBEDDING_SOURCE_OBJECT_HEADS
                               : v1::EMBEDDING_SOURCE_FINAL_LAYER);
  out.set_proposals(options.proposals);
  out.set_mirror(options.mirror);
  out.set_input_size(static_cast<uint32_t>(options.input_size));
  out.set_resize_mode(options.resize_mode == ResizeMode::kAspect ? v1::RESIZE_MODE_ASPECT
                                                                 : v1::RESIZE_MODE_SQUARE);
  out.set_embedding_dtype(reply.embedding_dtype);
  out.set_object_patches_only(reply.object_patches_only);
  out.set_allow_truncated(DecodeOptions().allow_truncated);
  return out;
}

v1::Limits EncodeLimits(const Limits& limits) {
  v1::Limits out;
  out.set_max_pixels(static_cast<uint64_t>(limits.max_pixels));
  out.set_max_dimension(static_cast<uint32_t>(limits.max_dimension));
  out.set_max_request_bytes(static_cast<uint64_t>(limits.max_request_bytes));
  out.set_max_response_bytes(static_cast<uint64_t>(limits.max_response_bytes));
  out.set_max_queue(static_cast<uint32_t>(limits.max_queue));
  out.set_max_inflight_bytes(static_cast<uint64_t>(limits.max_inflight_bytes));
  out.set_max_regions(static_cast<uint32_t>(limits.max_regions));
  out.set_max_input_size(static_cast<uint32_t>(limits.max_input_size));
  return out;
}

}  // namespace

v1::GetModelInfoResponse DescribeModel(const ModelFacts& model, const Limits& limits) {
  v1::GetModelInfoResponse info;
  *info.mutable_model() = EncodeModelRef(model);
  info.set_family(FamilyName(model.config.family));
  info.set_layers(static_cast<uint32_t>(model.config.layers));
  info.set_heads(static_cast<uint32_t>(model.config.heads));
  info.set_width(static_cast<uint32_t>(model.config.width));
  info.set_patch_size(static_cast<uint32_t>(model.config.patch_size));
  info.set_registers(static_cast<uint32_t>(model.config.registers));
  info.set_build_version(kVersion);
  info.set_torch_version(model.torch_version);
  info.set_device(model.device);
  info.set_dtype(v1::DATA_TYPE_F32);
  info.set_random_weights(model.config.random_weights);
  *info.mutable_limits() = EncodeLimits(limits);
  *info.mutable_defaults() = EncodeDefaults(DefaultOptions(model.config, limits), ReplyOptions());
  for (const Method method : kAllMethods) info.add_methods(EncodeMethod(method));
  return info;
}

}  // namespace objectdino
