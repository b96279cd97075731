// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"

#include "core/weights/model_config.h"
#include "objectdino/v1/grounding_service.pb.h"
#include "server/ground_request.h"
#include "server/grpc_status.h"
#include "server/request_error.h"

namespace {

// What is refused names the field, within what the status contract allows, on the wire too.
void CheckRefusal(const absl::Status& status) {
  const objectdino::WireStatus wire = objectdino::ToWireStatus(status);
  const bool in_contract = absl::IsInvalidArgument(status) || absl::IsUnimplemented(status);
  if (!in_contract || !objectdino::FieldOf(status) || !wire.incident.empty() ||
      wire.status.error_message().size() > objectdino::kMaxStatusMessageBytes ||
      wire.status.error_details().empty()) {
    __builtin_trap();
  }
}

void Check(const objectdino::v1::GroundRequest& request) {
  objectdino::ModelConfig model;
  model.layers = 12;
  model.heads = 6;
  model.width = 384;
  model.patch_size = 14;
  objectdino::Limits limits;
  limits.max_pixels = 1 << 16;
  limits.max_dimension = 1 << 12;
  const auto parsed =
      objectdino::ParseGroundRequest(objectdino::QuestionOf(request), model, limits);
  if (!parsed.ok()) return CheckRefusal(parsed.status());
  const auto read = objectdino::ReadRequestImage(request.image(), parsed->decode);
  if (!read.ok()) return CheckRefusal(read.status());
  const objectdino::Image& image = read->image;
  const size_t pixels = size_t{1} * image.height * image.width;
  if (pixels == 0 || pixels > 1 << 16 || image.rgb.size() != 3 * pixels) __builtin_trap();
}

}  // namespace

// The bytes as a whole request, and as the options of a request whose image is good.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  objectdino::v1::GroundRequest request;
  if (request.ParseFromArray(data, static_cast<int>(size))) Check(request);
  request.Clear();
  if (request.mutable_options()->ParseFromArray(data, static_cast<int>(size))) {
    request.mutable_image()->mutable_raw()->set_height(1);
    request.mutable_image()->mutable_raw()->set_width(1);
    request.mutable_image()->mutable_raw()->set_rgb("rgb");
    Check(request);
  }
  return 0;
}
