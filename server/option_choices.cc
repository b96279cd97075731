// SPDX-License-Identifier: Apache-2.0
#include "server/option_choices.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "server/request_error.h"

namespace objectdino {
namespace {

absl::Status ParseOutputs(const v1::GroundOptions& wire, ReplyOptions& reply,
                          GroundOptions& options) {
  if (wire.outputs().empty()) return absl::OkStatus();
  reply.objects = reply.objectness = false;
  for (int i = 0; i < wire.outputs_size(); ++i) {
    const std::string field = absl::StrCat("options.outputs[", i, "]");
    switch (wire.outputs(i)) {
      case v1::OUTPUT_OBJECTS:
        reply.objects = true;
        break;
      case v1::OUTPUT_OBJECTNESS:
        reply.objectness = true;
        break;
      case v1::OUTPUT_PIXEL_MASKS:
        reply.objects = options.pixel_masks = true;
        break;
      case v1::OUTPUT_PATCH_EMBEDDINGS:
        reply.patch_embeddings = true;
        break;
      case v1::OUTPUT_HEADS:
        reply.heads = true;
        break;
      case v1::OUTPUT_OVERLAY:
        return FieldUnimplemented(field, "OUTPUT_OVERLAY is not offered: draw it from the answer");
      default:
        return UnknownValue(field, wire.outputs(i));
    }
  }
  return absl::OkStatus();
}

absl::Status ParseMethod(const v1::GroundOptions& wire, GroundOptions& options) {
  switch (wire.method()) {
    case v1::METHOD_UNSPECIFIED:
      return absl::OkStatus();
    case v1::METHOD_OBJECT_DINO:
      options.method = Method::kObjectDino;
      return absl::OkStatus();
    case v1::METHOD_OBJECT_DINO_CUT:
      options.method = Method::kObjectDinoCut;
      return absl::OkStatus();
    case v1::METHOD_OBJECT_DINO_PAPER:
      options.method = Method::kObjectDinoPaper;
      return absl::OkStatus();
    case v1::METHOD_TOKENCUT:
      options.method = Method::kTokenCut;
      return absl::OkStatus();
    case v1::METHOD_LOST:
      options.method = Method::kLost;
      return absl::OkStatus();
    case v1::METHOD_CLS_ATTENTION:
      options.method = Method::kClsAttention;
      return absl::OkStatus();
    default:
      return UnknownValue("options.method", wire.method());
  }
}

absl::Status ParseHeadSelection(const v1::GroundOptions& wire, GroundOptions& options) {
  switch (wire.head_selection()) {
    case v1::HEAD_SELECTION_UNSPECIFIED:
      return absl::OkStatus();
    case v1::HEAD_SELECTION_CLUSTERED:
      options.head_selection = HeadSelection::kClustered;
      return absl::OkStatus();
    case v1::HEAD_SELECTION_PRESET:
      options.head_selection = HeadSelection::kPreset;
      return absl::OkStatus();
    default:
      return UnknownValue("options.head_selection", wire.head_selection());
  }
}

absl::Status ParseComponents(const v1::GroundOptions& wire, GroundOptions& options) {
  if (wire.components().empty()) return absl::OkStatus();
  options.components = {.query = false, .key = false, .value = false};
  for (int i = 0; i < wire.components_size(); ++i) {
    const std::string field = absl::StrCat("options.components[", i, "]");
    const v1::AttentionComponent component = wire.components(i);
    bool* used = component == v1::ATTENTION_COMPONENT_QUERY   ? &options.components.query
                 : component == v1::ATTENTION_COMPONENT_KEY   ? &options.components.key
                 : component == v1::ATTENTION_COMPONENT_VALUE ? &options.components.value
                                                              : nullptr;
    if (used == nullptr) return UnknownValue(field, component);
    if (*used) {
      return FieldError(field, absl::StrCat("names ", v1::AttentionComponent_Name(component),
                                            " for the second time"));
    }
    *used = true;
  }
  return absl::OkStatus();
}

absl::Status ParseLayerScope(const v1::GroundOptions& wire, GroundOptions& options) {
  switch (wire.layer_scope()) {
    case v1::LAYER_SCOPE_UNSPECIFIED:
      return absl::OkStatus();
    case v1::LAYER_SCOPE_ALL:
      options.layer_scope = LayerScope::kAll;
      return absl::OkStatus();
    case v1::LAYER_SCOPE_LAST_LAYER:
      options.layer_scope = LayerScope::kLastLayer;
      return absl::OkStatus();
    default:
      return UnknownValue("options.layer_scope", wire.layer_scope());
  }
}

absl::Status ParseEmbeddingSource(const v1::GroundOptions& wire, GroundOptions& options) {
  switch (wire.embedding_source()) {
    case v1::EMBEDDING_SOURCE_UNSPECIFIED:
      return absl::OkStatus();
    case v1::EMBEDDING_SOURCE_FINAL_LAYER:
      options.embedding_source = EmbeddingSource::kFinalLayer;
      return absl::OkStatus();
    case v1::EMBEDDING_SOURCE_OBJECT_HEADS:
      options.embedding_source = EmbeddingSource::kObjectHeads;
      return absl::OkStatus();
    default:
      return UnknownValue("options.embedding_source", wire.embedding_source());
  }
}

absl::Status ParseResizeMode(const v1::GroundOptions& wire, GroundOptions& options) {
  switch (wire.resize_mode()) {
    case v1::RESIZE_MODE_UNSPECIFIED:
      return absl::OkStatus();
    case v1::RESIZE_MODE_SQUARE:
      options.resize_mode = ResizeMode::kSquare;
      return absl::OkStatus();
    case v1::RESIZE_MODE_ASPECT:
      options.resize_mode = ResizeMode::kAspect;
      return absl::OkStatus();
    default:
      return UnknownValue("options.resize_mode", wire.resize_mode());
  }
}

// After ParseOutputs, which knows whether there are pixel masks.
absl::Status ParseMaskOptions(const v1::GroundOptions& wire, GroundOptions& options) {
  switch (wire.mask_refinement()) {
    case v1::MASK_REFINEMENT_UNSPECIFIED:
      break;
    case v1::MASK_REFINEMENT_NONE:
      options.mask_refinement = MaskRefinement::kNone;
      break;
    case v1::MASK_REFINEMENT_EDGE_AWARE:
      options.mask_refinement = MaskRefinement::kEdgeAware;
      break;
    default:
      return UnknownValue("options.mask_refinement", wire.mask_refinement());
  }
  switch (wire.mask_format()) {
    case v1::MASK_FORMAT_UNSPECIFIED:
      break;
    case v1::MASK_FORMAT_COCO_RLE:
      options.mask_format = MaskFormat::kCocoRle;
      break;
    case v1::MASK_FORMAT_PNG:
      options.mask_format = MaskFormat::kPng;
      break;
    default:
      return UnknownValue("options.mask_format", wire.mask_format());
  }
  if (options.pixel_masks) return absl::OkStatus();
  if (wire.mask_refinement() != v1::MASK_REFINEMENT_UNSPECIFIED) {
    return FieldError("options.mask_refinement", "has no effect without OUTPUT_PIXEL_MASKS");
  }
  if (wire.mask_format() != v1::MASK_FORMAT_UNSPECIFIED) {
    return FieldError("options.mask_format", "has no effect without OUTPUT_PIXEL_MASKS");
  }
  return absl::OkStatus();
}

absl::Status ParseEmbeddingDtype(const v1::GroundOptions& wire, ReplyOptions& reply) {
  switch (wire.embedding_dtype()) {
    case v1::DATA_TYPE_UNSPECIFIED:
      return absl::OkStatus();
    case v1::DATA_TYPE_F32:
    case v1::DATA_TYPE_F16:
    case v1::DATA_TYPE_BF16:
      reply.embedding_dtype = wire.embedding_dtype();
      return absl::OkStatus();
    case v1::DATA_TYPE_U8:
      return FieldError("options.embedding_dtype",
                        "must be DATA_TYPE_F32, DATA_TYPE_F16 or DATA_TYPE_BF16");
    default:
      return UnknownValue("options.embedding_dtype", wire.embedding_dtype());
  }
}

}  // namespace

absl::Status ParseChoices(const v1::GroundOptions& wire, ParsedRequest& parsed) {
  OBJECTDINO_RETURN_IF_ERROR(ParseOutputs(wire, parsed.reply, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseMethod(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseHeadSelection(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseComponents(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseLayerScope(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseEmbeddingSource(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseResizeMode(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseMaskOptions(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseEmbeddingDtype(wire, parsed.reply));
  return absl::OkStatus();
}

}  // namespace objectdino
