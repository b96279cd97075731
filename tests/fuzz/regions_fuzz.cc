// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "core/pipeline/verify.h"
#include "objectdino/v1/grounding_service.pb.h"
#include "server/codec.h"
#include "server/ground_request.h"
#include "server/grpc_status.h"
#include "server/region_request.h"
#include "server/request_error.h"

namespace {

using objectdino::Grounding;
using objectdino::PatchGrid;

constexpr PatchGrid kGrid = {3, 2, 14};
constexpr int kWidth = 4;

objectdino::ModelFacts Facts() {
  objectdino::ModelFacts facts;
  facts.name = "fuzz";
  facts.weights_sha256 = std::string(64, 'a');
  facts.config.layers = 12;
  facts.config.heads = 2;
  facts.config.width = kWidth;
  facts.config.patch_size = 14;
  return facts;
}

Grounding Scene(const objectdino::GroundOptions& options) {
  Grounding grounding;
  grounding.image = {4, 6};
  grounding.grid = kGrid;
  grounding.objectness = {0, 0.5F, 1, 0.25F, 0, 0};
  grounding.cls_attention = {0.1F, 0.2F, 0.4F, 0.1F, 0.1F, 0.1F};
  grounding.embedding_width = kWidth;
  grounding.embedding_source = options.embedding_source;
  for (int i = 0; i < kGrid.size() * kWidth; ++i) {
    grounding.patch_vectors.push_back(static_cast<float>(i % 7) - 3);
  }
  grounding.objects.resize(1);
  grounding.objects[0].mask = {0, 1, 1, 0, 0, 0};
  grounding.objects[0].box = {0, 0, 6, 2.5F};
  grounding.objects[0].embedding = {1, 0, 0, 0};
  return grounding;
}

// What is refused is INVALID_ARGUMENT, names the field, and fits the wire.
void CheckRefusal(const absl::Status& status) {
  const objectdino::WireStatus wire = objectdino::ToWireStatus(status);
  if (!absl::IsInvalidArgument(status) || !objectdino::FieldOf(status) || !wire.incident.empty() ||
      wire.status.error_message().size() > objectdino::kMaxStatusMessageBytes) {
    __builtin_trap();
  }
}

bool InUnit(double value) { return value >= 0 && value <= 1; }

void CheckScore(const objectdino::v1::RegionScore& score) {
  const objectdino::v1::Box& box = score.box();
  const bool good = InUnit(score.score()) && InUnit(score.objectness_inside()) &&
                    InUnit(score.objectness_around()) && InUnit(score.attention_inside()) &&
                    InUnit(score.attention_outside()) && InUnit(score.coverage()) &&
                    InUnit(score.best_object().iou()) &&
                    std::abs(score.best_object().similarity()) <= 1 &&
                    std::abs(score.query().similarity()) <= 1 && box.x1() >= 0 && box.y1() >= 0 &&
                    box.x1() < box.x2() && box.y1() < box.y2() && box.x2() <= 6 && box.y2() <= 4;
  if (!good) __builtin_trap();
}

void Check(const objectdino::v1::VerifyRegionsRequest& request) {
  const objectdino::ModelFacts facts = Facts();
  const objectdino::Limits limits;
  const auto parsed = objectdino::ParseGroundRequest(
      {request.image(), request.options(), request.request_id()}, facts.config, limits);
  if (!parsed.ok()) return;  // the target request looks at those
  const absl::Status valid = objectdino::CheckRegions(request.regions(), *parsed, facts, limits);
  if (!valid.ok()) return CheckRefusal(valid);
  const auto regions = objectdino::ReadRegions(request.regions(), kGrid, parsed->upright_size);
  if (!regions.ok()) return CheckRefusal(regions.status());
  const Grounding grounding = Scene(parsed->options);
  const absl::Status spaces = objectdino::CheckSpaces(request.regions(), grounding, facts);
  if (!spaces.ok()) return CheckRefusal(spaces);
  const auto scores = objectdino::VerifyRegions(grounding, *regions);
  if (scores.size() != static_cast<size_t>(request.regions_size())) __builtin_trap();
  for (const objectdino::RegionScore& score : scores) {
    objectdino::v1::RegionScore wire;
    objectdino::EncodeScore(score, &wire);
    CheckScore(wire);
  }
}

}  // namespace

// The bytes as a request about an image of 4 x 6 pixels.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  objectdino::v1::VerifyRegionsRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  objectdino::v1::RawImage* raw = request.mutable_image()->mutable_raw();
  request.mutable_image()->clear_orientation();
  raw->set_height(4);
  raw->set_width(6);
  raw->set_rgb(std::string(size_t{4} * 6 * 3, '\0'));
  Check(request);
  return 0;
}
