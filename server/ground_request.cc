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
#include "core/pipeline/model_defaults.h"
#include "server/option_choices.h"
#include "server/request_error.h"

namespace objectdino {
namespace {

constexpr size_t kMaxRequestIdBytes = 128;

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
  options.chosen.input_size = wire.has_input_size();
  options.chosen.head_selection =
      wire.has_clusters() || wire.head_selection() != v1::HEAD_SELECTION_UNSPECIFIED;
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
      {"mirror", wire.has_mirror()},
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
  OBJECTDINO_RETURN_IF_ERROR(ParseChoices(wire, parsed));
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

absl::Status CheckEncoded(const std::string& bytes, ParsedRequest& parsed) {
  constexpr int kFirstTransposed = 5;  // of the EXIF orientations
  OBJECTDINO_ASSIGN_OR_RETURN(const ImageHeader header, ReadImageHeader(bytes));
  const ImageSize size = header.stored_size;
  const bool transposed =
      parsed.decode.apply_orientation && header.exif_orientation >= kFirstTransposed;
  parsed.image_size = size;
  parsed.upright_size = transposed ? ImageSize{size.width, size.height} : size;
  return CheckImageHeader(header, parsed.decode);
}

absl::Status CheckImage(const v1::Image& image, const Limits& limits, ParsedRequest& parsed) {
  switch (image.source_case()) {
    case v1::Image::kEncoded:
      return WithField(CheckEncoded(image.encoded(), parsed), "image.encoded");
    case v1::Image::kRaw:
      OBJECTDINO_RETURN_IF_ERROR(CheckRaw(image.raw(), limits));
      parsed.image_size = {static_cast<int>(image.raw().height()),
                           static_cast<int>(image.raw().width())};
      parsed.upright_size = parsed.image_size;
      return absl::OkStatus();
    case v1::Image::SOURCE_NOT_SET:
      break;
  }
  return FieldError("image.source", "must be set: encoded or raw");
}

}  // namespace

GroundOptions DefaultOptions(const ModelConfig& model, const Limits& limits) {
  GroundOptions options;
  const ModelDefaults& defaults = DefaultsOf(model);
  options.head_selection = defaults.head_selection.value;
  const int size = std::min(defaults.input_size.value, limits.max_input_size);
  options.input_size = size / model.patch_size * model.patch_size;
  options.max_mask_bytes = limits.max_response_bytes;
  return options;
}

absl::StatusOr<ParsedRequest> ParseGroundRequest(const GroundQuestion& question,
                                                 const ModelConfig& model, const Limits& limits) {
  if (question.request_id.size() > kMaxRequestIdBytes) {
    return FieldError("request_id", absl::StrCat("must be at most ", kMaxRequestIdBytes,
                                                 " bytes, got ", question.request_id.size()));
  }
  ParsedRequest parsed;
  parsed.options = DefaultOptions(model, limits);
  parsed.decode.max_pixels = limits.max_pixels;
  parsed.decode.max_dimension = limits.max_dimension;
  OBJECTDINO_RETURN_IF_ERROR(ParseOptions(question.options, model, limits, parsed));
  OBJECTDINO_RETURN_IF_ERROR(ParseOrientation(question.image.orientation(), parsed.decode));
  OBJECTDINO_RETURN_IF_ERROR(CheckImage(question.image, limits, parsed));
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
