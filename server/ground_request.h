// SPDX-License-Identifier: Apache-2.0
// A GroundRequest, checked and turned into the core's terms.
//
// Nothing is silently ignored: an option that this server does not offer is UNIMPLEMENTED, one that
// has no effect on what was asked for is INVALID_ARGUMENT. Thread-safety: pure functions.
#ifndef OBJECTDINO_SERVER_GROUND_REQUEST_H_
#define OBJECTDINO_SERVER_GROUND_REQUEST_H_

#include <string>

#include "absl/status/statusor.h"

#include "core/image/decode.h"
#include "core/image/image.h"
#include "core/pipeline/ground_options.h"
#include "core/weights/model_config.h"
#include "objectdino/v1/grounding_service.pb.h"
#include "server/limits.h"

namespace objectdino {

// What the reply holds.
struct ReplyOptions {
  bool objects = true;
  bool objectness = true;
  bool patch_embeddings = false;
  bool heads = false;
  v1::DataType embedding_dtype = v1::DATA_TYPE_F16;
  bool object_patches_only = false;
};

struct ParsedRequest {
  GroundOptions options;
  DecodeOptions decode;
  ReplyOptions reply;
  ImageSize image_size;    // as stored: before the orientation is applied
  ImageSize upright_size;  // after
};

// Defaults for the model within this server's limits: what an unset option means.
GroundOptions DefaultOptions(const ModelConfig& model, const Limits& limits);

// What an RPC asks of one image: views into its request.
struct GroundQuestion {
  const v1::Image& image;
  const v1::GroundOptions& options;
  const std::string& request_id;
};
inline GroundQuestion QuestionOf(const v1::GroundRequest& request) {
  return {request.image(), request.options(), request.request_id()};
}

// Everything that can be known without decoding. INVALID_ARGUMENT or UNIMPLEMENTED with the path of
// the field. Cost: a scan of the image's header.
absl::StatusOr<ParsedRequest> ParseGroundRequest(const GroundQuestion& question,
                                                 const ModelConfig& model, const Limits& limits);

// The pixels of a request, and what the reply says of them.
struct RequestImage {
  Image image;  // upright
  int applied_orientation = 1;
  std::string format;      // "jpeg", "png", "webp", "raw"
  bool animated = false;   // only the first frame was used
  bool truncated = false;  // what there was of the file was used
};

// REQUIRES: ParseGroundRequest accepted the request that holds `image`. INVALID_ARGUMENT with the
// path of the field.
absl::StatusOr<RequestImage> ReadRequestImage(const v1::Image& image, const DecodeOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_GROUND_REQUEST_H_
