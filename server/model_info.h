// SPDX-License-Identifier: Apache-2.0
// The answer of GetModelInfo.
#ifndef OBJECTDINO_SERVER_MODEL_INFO_H_
#define OBJECTDINO_SERVER_MODEL_INFO_H_

#include "objectdino/v1/grounding_service.pb.h"
#include "server/engine.h"
#include "server/limits.h"

namespace objectdino {

// Thread-safety: pure function.
v1::GetModelInfoResponse DescribeModel(const ModelFacts& model, const Limits& limits);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_MODEL_INFO_H_
