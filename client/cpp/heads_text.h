// SPDX-License-Identifier: Apache-2.0
// The attention heads of an answer for human eyes: a compact table. Thread-safety: pure function.
#ifndef OBJECTDINO_CLIENT_CPP_HEADS_TEXT_H_
#define OBJECTDINO_CLIENT_CPP_HEADS_TEXT_H_

#include <string>

#include "absl/status/statusor.h"

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// The file, a line a layer with the cluster of each head ('*' and '.' where heads are preset), the
// clusters' sizes, the object-centric heads as layer.head, warnings. INVALID_ARGUMENT as
// ReadHeadAnswer.
absl::StatusOr<std::string> HeadsText(const std::string& file, const v1::GroundResponse& response);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_HEADS_TEXT_H_
