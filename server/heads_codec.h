// SPDX-License-Identifier: Apache-2.0
// The attention heads of a Grounding as a part of its GroundResponse.
#ifndef OBJECTDINO_SERVER_HEADS_CODEC_H_
#define OBJECTDINO_SERVER_HEADS_CODEC_H_

#include "core/pipeline/grounding.h"
#include "core/weights/model_config.h"
#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// Fills `heads` and `head_analysis`. REQUIRES: the grounding has head maps; `dtype` is one that
// EncodeTensor takes. Thread-safety: pure function. Cost: O(answer).
void EncodeHeads(const Grounding& grounding, const ModelConfig& model, v1::DataType dtype,
                 v1::GroundResponse* response);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_HEADS_CODEC_H_
