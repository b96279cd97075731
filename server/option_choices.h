// SPDX-License-Identifier: Apache-2.0
// The options of a request that are choices among names: outputs, method, heads, masks, embeddings.
//
// Thread-safety: pure functions.
#ifndef OBJECTDINO_SERVER_OPTION_CHOICES_H_
#define OBJECTDINO_SERVER_OPTION_CHOICES_H_

#include "absl/status/status.h"

#include "objectdino/v1/grounding_service.pb.h"
#include "server/ground_request.h"

namespace objectdino {

// Takes every choice of `wire` over into `parsed`; UNSPECIFIED leaves what is there.
// INVALID_ARGUMENT for a value that this contract does not know or an option without effect,
// UNIMPLEMENTED for one that this server does not offer; each with the path of the field.
absl::Status ParseChoices(const v1::GroundOptions& wire, ParsedRequest& parsed);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_OPTION_CHOICES_H_
