// SPDX-License-Identifier: Apache-2.0
#include "server/codec.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "core/math/rle.h"
#include "server/embedding_space.h"
#include "server/heads_codec.h"
#include "server/tensor_codec.h"

namespace objectdino {
namespace {

v1::Warning::Code EncodeWarningCode(WarningCode code) {
  switch (code) {
    case WarningCode::kLowConfidence:
      return v1::Warning::CODE_LOW_CONFIDENCE;
    case WarningCode::kRandomWeights:
      return v1::Warning::CODE_RANDOM_WEIGHTS;
    case WarningCode::kImageTooSmall:
      return v1::Warning::CODE_IMAGE_TOO_SMALL;
    case WarningCode::kFirstFrameOnly:
      return v1::Warning::CODE_FIRST_FRAME_ONLY;
    case WarningCode::kTruncatedImage:
      return v1::Warning::CODE_TRUNCATED_IMAGE;
    case WarningCode::kNoClearObject:
      return v1::Warning::CODE_NO_CLEAR_OBJECT;
    case WarningCode::kUnmeasuredDefaults:
      return v1::Warning::CODE_UNMEASURED_DEFAULTS;
  }
  return v1::Warning::CODE_UNSPECIFIED;
}

void AddWarning(WarningCode code, const std::string& message, v1::GroundResponse* response) {
  v1::Warning* warning = response->add_warnings();
  warning->set_code(EncodeWarningCode(code));
  warning->set_message(message);
}

void SetBox(float x1, float y1, float x2, float y2, v1::Box* box) {
  box->set_x1(x1);
  box->set_y1(y1);
  box->set_x2(x2);
  box->set_y2(y2);
}

void SetSize(int height, int width, v1::Mask* mask) {
  mask->set_height(static_cast<uint32_t>(height));
  mask->set_width(static_cast<uint32_t>(width));
}

// `pooling`: "patch" or "patch-mean".
std::string Space(const Grounding& grounding, const ModelFacts& model, absl::string_view pooling) {
  return absl::StrCat(EmbeddingSpace(grounding.embedding_source, grounding.heads, model), "/",
                      pooling);
}

void EncodeGrid(const Grounding& grounding, v1::PatchGrid* grid) {
  grid->set_rows(static_cast<uint32_t>(grounding.grid.rows));
  grid->set_cols(static_cast<uint32_t>(grounding.grid.cols));
  grid->set_patch_size(static_cast<uint32_t>(grounding.grid.patch_size));
  grid->set_input_width(static_cast<uint32_t>(grounding.grid.input_width()));
  grid->set_input_height(static_cast<uint32_t>(grounding.grid.input_height()));
  SetBox(0, 0, static_cast<float>(grounding.image.width),
         static_cast<float>(grounding.image.height), grid->mutable_content());
}

void EncodeObject(const GroundedObject& object, const Grounding& grounding,
                  const ParsedRequest& request, const ModelFacts& model, v1::GroundedObject* out) {
  const PatchGrid& grid = grounding.grid;
  const Box& box = object.box;
  const auto width = static_cast<float>(grounding.image.width);
  const auto height = static_cast<float>(grounding.image.height);
  out->set_score(static_cast<float>(object.score));
  SetBox(box.x1, box.y1, box.x2, box.y2, out->mutable_box());
  SetBox(box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height,
         out->mutable_normalized_box());
  SetSize(grid.rows, grid.cols, out->mutable_mask());
  out->mutable_mask()->set_coco_rle(EncodeCocoRle(object.mask, grid.rows, grid.cols));
  if (request.options.pixel_masks) {
    v1::Mask* mask = out->mutable_pixel_mask();
    SetSize(grounding.image.height, grounding.image.width, mask);
    if (request.options.mask_format == MaskFormat::kPng) {
      mask->set_png(object.pixel_mask);
    } else {
      mask->set_coco_rle(object.pixel_mask);
    }
  }
  out->mutable_anchor()->set_x(object.anchor.x);
  out->mutable_anchor()->set_y(object.anchor.y);
  out->set_area_fraction(static_cast<float>(object.patches) / static_cast<float>(grid.size()));
  v1::Embedding* embedding = out->mutable_embedding();
  *embedding->mutable_values() = EncodeTensor(
      object.embedding, {static_cast<int>(object.embedding.size())}, request.reply.embedding_dtype);
  embedding->set_l2_normalized(true);
  embedding->set_space(Space(grounding, model, "patch-mean"));
  for (size_t i = 0; i < object.mask.size(); ++i) {
    if (object.mask[i] != 0) out->add_patch_indices(static_cast<uint32_t>(i));
  }
}

// Ascending. All patches, or those of the objects in the answer.
std::vector<uint32_t> PatchesToSend(const Grounding& grounding, bool object_patches_only) {
  std::vector<uint32_t> indices;
  for (size_t i = 0; i < static_cast<size_t>(grounding.grid.size()); ++i) {
    const bool wanted =
        !object_patches_only ||
        std::any_of(grounding.objects.begin(), grounding.objects.end(),
                    [i](const GroundedObject& object) { return object.mask[i] != 0; });
    if (wanted) indices.push_back(static_cast<uint32_t>(i));
  }
  return indices;
}

void EncodePatches(const Grounding& grounding, const ReplyOptions& reply, const ModelFacts& model,
                   v1::PatchEmbeddings* out) {
  const std::vector<uint32_t> indices = PatchesToSend(grounding, reply.object_patches_only);
  const auto width = static_cast<size_t>(grounding.embedding_width);
  std::vector<float> rows;  // [n, D]
  rows.reserve(indices.size() * width);
  for (const uint32_t index : indices) {
    const auto row = grounding.patch_vectors.begin() + static_cast<std::ptrdiff_t>(index * width);
    rows.insert(rows.end(), row, row + static_cast<std::ptrdiff_t>(width));
  }
  *out->mutable_embeddings() = EncodeTensor(
      rows, {static_cast<int>(indices.size()), grounding.embedding_width}, reply.embedding_dtype);
  out->mutable_patch_indices()->Assign(indices.begin(), indices.end());
  out->set_l2_normalized(true);
  out->set_space(Space(grounding, model, "patch"));
}

void EncodeTimings(const StageTimings& timings, v1::Timing* out) {
  out->set_preprocess_ms(static_cast<float>(timings.preprocess_ms));
  out->set_backbone_ms(static_cast<float>(timings.backbone_ms));
  out->set_heads_ms(static_cast<float>(timings.heads_ms));
  out->set_objects_ms(static_cast<float>(timings.objects_ms));
  out->set_masks_ms(static_cast<float>(timings.masks_ms));
  out->set_batch_size(static_cast<uint32_t>(timings.batch_size));
}

}  // namespace

v1::Method EncodeMethod(Method method) {
  switch (method) {
    case Method::kObjectDino:
      return v1::METHOD_OBJECT_DINO;
    case Method::kObjectDinoCut:
      return v1::METHOD_OBJECT_DINO_CUT;
    case Method::kObjectDinoPaper:
      return v1::METHOD_OBJECT_DINO_PAPER;
    case Method::kTokenCut:
      return v1::METHOD_TOKENCUT;
    case Method::kLost:
      return v1::METHOD_LOST;
    case Method::kClsAttention:
      return v1::METHOD_CLS_ATTENTION;
  }
  return v1::METHOD_UNSPECIFIED;
}

v1::ModelRef EncodeModelRef(const ModelFacts& model) {
  v1::ModelRef ref;
  ref.set_name(model.name);
  ref.set_weights_sha256(model.weights_sha256);
  return ref;
}

void EncodeGrounding(const Grounding& grounding, const ParsedRequest& request,
                     const RequestImage& image, const ModelFacts& model,
                     v1::GroundResponse* response) {
  const ReplyOptions& reply = request.reply;
  v1::ImageInfo* info = response->mutable_image();
  info->set_height(static_cast<uint32_t>(grounding.image.height));
  info->set_width(static_cast<uint32_t>(grounding.image.width));
  info->set_applied_orientation(static_cast<uint32_t>(image.applied_orientation));
  info->set_format(image.format);
  EncodeGrid(grounding, response->mutable_grid());
  if (reply.objects) {
    for (const GroundedObject& object : grounding.objects) {
      v1::GroundedObject* out = response->add_objects();
      out->set_index(static_cast<uint32_t>(response->objects_size() - 1));
      EncodeObject(object, grounding, request, model, out);
    }
  }
  if (reply.objectness) {
    *response->mutable_objectness() = EncodeTensor(
        grounding.objectness, {grounding.grid.rows, grounding.grid.cols}, v1::DATA_TYPE_F32);
  }
  if (reply.patch_embeddings) {
    EncodePatches(grounding, reply, model, response->mutable_patches());
  }
  if (reply.heads) EncodeHeads(grounding, model.config, reply.embedding_dtype, response);
  *response->mutable_model() = EncodeModelRef(model);
  EncodeTimings(grounding.timings, response->mutable_timing());
  for (const Warning& warning : grounding.warnings) {
    AddWarning(warning.code, warning.message, response);
  }
  if (image.animated) {
    AddWarning(WarningCode::kFirstFrameOnly, "the image is animated: only its first frame was used",
               response);
  }
  if (image.truncated) {
    AddWarning(WarningCode::kTruncatedImage, "the file is cut short: what was there was used",
               response);
  }
  response->set_method(EncodeMethod(request.options.method));
}

void EncodeScore(const RegionScore& score, v1::RegionScore* out) {
  const RegionReading& reading = score.reading;
  out->set_score(static_cast<float>(score.score));
  SetBox(score.box.x1, score.box.y1, score.box.x2, score.box.y2, out->mutable_box());
  out->set_objectness_inside(static_cast<float>(reading.objectness_inside));
  out->set_objectness_around(static_cast<float>(reading.objectness_around));
  out->set_attention_inside(static_cast<float>(reading.attention_inside));
  out->set_attention_outside(static_cast<float>(reading.attention_outside));
  out->set_coverage(static_cast<float>(score.coverage));
  if (score.best_object) {
    v1::ObjectMatch* const match = out->mutable_best_object();
    match->set_index(static_cast<uint32_t>(score.best_object->index));
    match->set_iou(static_cast<float>(score.best_object->iou));
    match->set_similarity(static_cast<float>(score.best_object->similarity));
  }
  if (score.query) {
    v1::QueryMatch* const match = out->mutable_query();
    match->set_patch_index(static_cast<uint32_t>(score.query->patch));
    match->set_similarity(static_cast<float>(score.query->similarity));
  }
}

}  // namespace objectdino
