// SPDX-License-Identifier: Apache-2.0
// The core's results as messages.
#ifndef OBJECTDINO_SERVER_CODEC_H_
#define OBJECTDINO_SERVER_CODEC_H_

#include "core/pipeline/grounding.h"
#include "core/pipeline/verify.h"
#include "objectdino/v1/grounding_service.pb.h"
#include "server/engine.h"
#include "server/ground_request.h"

namespace objectdino {

// Fills everything but request_id and the times that only the server knows (decode, queue, encode).
// `image` needs no pixels any more. Thread-safety: pure function. Cost: O(answer).
void EncodeGrounding(const Grounding& grounding, const ParsedRequest& request,
                     const RequestImage& image, const ModelFacts& model,
                     v1::GroundResponse* response);

// Into an empty message. Thread-safety: pure function.
void EncodeScore(const RegionScore& score, v1::RegionScore* out);

v1::Method EncodeMethod(Method method);
v1::ModelRef EncodeModelRef(const ModelFacts& model);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_CODEC_H_
