// SPDX-License-Identifier: Apache-2.0
#include "server/ground_request.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "core/image/header.h"
#include "server/request_error.h"

namespace objectdino {
namespace {

constexpr size_t kMaxRequestIdBytes = 128;

absl::Status UnknownValue(absl::string_view field, int value) {
  return FieldError(field, absl::StrCat("has the unknown value ", value));
}

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

absl::Status ParseOrientation(v1::Orientation orientation, DecodeOptions& decode) {
  switch (orientation) {
    case v1::ORIENTATION_UNSPECIFIED:
    case v1::ORIENTATION_APPLY:
      decode.apply_orientation = true;
      return absl::OkStatus();
    case v1::ORIENTATION_IGNORE:
      decode.apply_orientation = false;
      return absl::OkStatus();
    default:
      return UnknownValue("image.orientation", orientation);
  }
}

// The core counts in int; ranges within int are its own to check.
absl::Status ParseCount(absl::string_view field, uint32_t wire, int& value) {
  constexpr uint32_t kMax = std::numeric_limits<int>::max();
  if (wire > kMax) {
    return FieldError(field, absl::StrCat("must be at most ", kMax, ", got ", wire));
  }
  value = static_cast<int>(wire);
  return absl::OkStatus();
}

absl::Status ParseNumbers(const v1::GroundOptions& wire, const ModelConfig& model,
                          const Limits& limits, GroundOptions& options) {
  if (wire.has_max_objects()) {
    OBJECTDINO_RETURN_IF_ERROR(
        ParseCount("options.max_objects", wire.max_objects(), options.max_objects));
  }
  if (wire.has_min_patches()) {
    OBJECTDINO_RETURN_IF_ERROR(
        ParseCount("options.min_patches", wire.min_patches(), options.min_patches));
    options.min_patches = std::max(options.min_patches, 1);  // the core's 0 means its default
  }
  if (wire.has_clusters()) {
    OBJECTDINO_RETURN_IF_ERROR(ParseCount("options.clusters", wire.clusters(), options.clusters));
  }
  if (wire.has_input_size()) {
    const uint32_t size = wire.input_size();
    if (size < static_cast<uint32_t>(model.patch_size) ||
        size > static_cast<uint32_t>(limits.max_input_size)) {
      return FieldError("options.input_size", absl::StrCat("must be in [", model.patch_size, ", ",
                                                           limits.max_input_size, "], got ", size));
    }
    options.input_size = static_cast<int>(size) / model.patch_size * model.patch_size;
  }
  if (wire.has_seed()) options.seed = wire.seed();
  if (wire.has_mirror()) options.mirror = wire.mirror();
  if (wire.has_proposals()) options.proposals = wire.proposals();
  if (wire.has_min_score()) options.min_score = wire.min_score();
  if (wire.has_temperature()) options.temperature = wire.temperature();
  if (wire.has_affinity_threshold()) {
    // The core's mark for "unset" is outside of the range, so it must not come over the wire.
    const double tau = wire.affinity_threshold();
    if (tau == GroundOptions::kTauOfMethod) {
      return FieldError("options.affinity_threshold",
                        absl::StrCat("must be in [-1, 1], got ", tau));
    }
    options.tau = tau;
  }
  return absl::OkStatus();
}

// Options that were set, whatever to, although nothing of what is asked for looks at them.
absl::Status CheckEffects(const v1::GroundOptions& wire, const GroundOptions& options) {
  const std::pair<absl::string_view, bool> set[] = {
      {"head_selection", wire.head_selection() != v1::HEAD_SELECTION_UNSPECIFIED},
      {"clusters", wire.has_clusters()},
      {"seed", wire.has_seed()},
      {"components", !wire.components().empty()},
      {"layer_scope", wire.layer_scope() != v1::LAYER_SCOPE_UNSPECIFIED},
      {"temperature", wire.has_temperature()},
      {"affinity_threshold", wire.has_affinity_threshold()}};
  for (const auto& [option, is_set] : set) {
    if (is_set) OBJECTDINO_RETURN_IF_ERROR(options.CheckEffect(option));
  }
  return absl::OkStatus();
}

absl::Status ParseOptions(const v1::GroundOptions& wire, const ModelConfig& model,
                          const Limits& limits, ParsedRequest& parsed) {
  if (wire.has_highlight()) {
    return FieldUnimplemented("options.highlight",
                              "is not offered: it belongs to OUTPUT_OVERLAY, draw from the answer");
  }
  OBJECTDINO_RETURN_IF_ERROR(ParseOutputs(wire, parsed.reply, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseMethod(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseHeadSelection(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseComponents(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseLayerScope(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseEmbeddingSource(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseResizeMode(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseMaskOptions(wire, parsed.options));
  OBJECTDINO_RETURN_IF_ERROR(ParseEmbeddingDtype(wire, parsed.reply));
  OBJECTDINO_RETURN_IF_ERROR(ParseNumbers(wire, model, limits, parsed.options));
  parsed.reply.object_patches_only = wire.object_patches_only();
  if (wire.object_patches_only() && !parsed.reply.patch_embeddings) {
    return FieldError("options.object_patches_only",
                      "has no effect without OUTPUT_PATCH_EMBEDDINGS");
  }
  parsed.options.patch_embeddings = parsed.reply.patch_embeddings;
  parsed.options.head_maps = parsed.reply.heads;
  parsed.decode.allow_truncated = wire.allow_truncated();

  absl::Status valid = CheckEffects(wire, parsed.options);
  if (valid.ok()) valid = parsed.options.Validate(model);
  if (valid.ok()) return valid;
  // Its messages start with the field's name, which is the same on the wire.
  const absl::string_view message = valid.message();
  const absl::string_view name = message.substr(0, message.find(' '));
  return WithField(absl::InvalidArgumentError(absl::StrCat("options.", message)),
                   absl::StrCat("options.", name));
}

absl::Status CheckRaw(const v1::RawImage& raw, const Limits& limits) {
  if (raw.height() == 0 || raw.width() == 0) {
    return FieldError("image.raw", absl::StrCat("must not be empty, got ", raw.height(), " x ",
                                                raw.width(), " (height x width)"));
  }
  const uint64_t pixels = uint64_t{raw.height()} * raw.width();
  const uint32_t longest = std::max(raw.height(), raw.width());
  if (longest > static_cast<uint32_t>(limits.max_dimension)) {
    return ImageTooLarge("image.raw", absl::StrCat("has a side of ", longest,
                                                   " pixels, the limit is ", limits.max_dimension));
  }
  if (pixels > static_cast<uint64_t>(limits.max_pixels)) {
    return ImageTooLarge("image.raw",
                         absl::StrCat("has ", pixels, " pixels, the limit is ", limits.max_pixels));
  }
  if (raw.rgb().size() != pixels * 3) {
    return FieldError("image.raw.rgb", absl::StrCat("must hold height * width * 3 = ", pixels * 3,
                                                    " bytes, got ", raw.rgb().size()));
  }
  return absl::OkStatus();
}

absl::Status CheckEncoded(const std::string& bytes, const DecodeOptions& decode) {
  OBJECTDINO_ASSIGN_OR_RETURN(const ImageHeader header, ReadImageHeader(bytes));
  return CheckImageHeader(header, decode);
}

absl::Status CheckImage(const v1::Image& image, const DecodeOptions& decode, const Limits& limits) {
  switch (image.source_case()) {
    case v1::Image::kEncoded:
      return WithField(CheckEncoded(image.encoded(), decode), "image.encoded");
    case v1::Image::kRaw:
      return CheckRaw(image.raw(), limits);
    case v1::Image::SOURCE_NOT_SET:
      break;
  }
  return FieldError("image.source", "must be set: encoded or raw");
}

}  // namespace

GroundOptions DefaultOptions(const ModelConfig& model, const Limits& limits) {
  GroundOptions options;
  const int size = std::min(options.input_size, limits.max_input_size);
  options.input_size = size / model.patch_size * model.patch_size;
  return options;
}

absl::StatusOr<ParsedRequest> ParseGroundRequest(const v1::GroundRequest& request,
                                                 const ModelConfig& model, const Limits& limits) {
  if (request.request_id().size() > kMaxRequestIdBytes) {
    return FieldError("request_id", absl::StrCat("must be at most ", kMaxRequestIdBytes,
                                                 " bytes, got ", request.request_id().size()));
  }
  ParsedRequest parsed;
  parsed.options = DefaultOptions(model, limits);
  parsed.decode.max_pixels = limits.max_pixels;
  parsed.decode.max_dimension = limits.max_dimension;
  OBJECTDINO_RETURN_IF_ERROR(ParseOptions(request.options(), model, limits, parsed));
  OBJECTDINO_RETURN_IF_ERROR(ParseOrientation(request.image().orientation(), parsed.decode));
  OBJECTDINO_RETURN_IF_ERROR(CheckImage(request.image(), parsed.decode, limits));
  return parsed;
}

absl::StatusOr<RequestImage> ReadRequestImage(const v1::Image& image,
                                              const DecodeOptions& options) {
  RequestImage result;
  if (image.source_case() == v1::Image::kRaw) {
    const v1::RawImage& raw = image.raw();
    result.image.height = static_cast<int>(raw.height());
    result.image.width = static_cast<int>(raw.width());
    result.image.rgb.assign(raw.rgb().begin(), raw.rgb().end());
    result.format = "raw";
    return result;
  }
  absl::StatusOr<DecodedImage> decoded = DecodeImage(image.encoded(), options);
  if (!decoded.ok()) return WithField(decoded.status(), "image.encoded");
  result.image = std::move(decoded->image);
  result.applied_orientation = decoded->applied_orientation;
  result.format = absl::AsciiStrToLower(ImageFormatName(decoded->format));
  result.animated = decoded->animated;
  if (options.allow_truncated) {
    const auto header = ReadImageHeader(image.encoded());
    result.truncated = header.ok() && !header->complete;
  }
  return result;
}

}  // namespace objectdino
