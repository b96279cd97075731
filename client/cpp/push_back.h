// SPDX-License-Identifier: Apache-2.0
// When a server wants a request again that it had no time for.
// Thread-safety: pure function.
#ifndef OBJECTDINO_CLIENT_CPP_PUSH_BACK_H_
#define OBJECTDINO_CLIENT_CPP_PUSH_BACK_H_

#include <grpcpp/client_context.h>
#include <optional>

#include "absl/time/time.h"

namespace objectdino {

// The trailer "grpc-retry-pushback-ms" of a call that has ended. Nothing: there is none, or it says
// not to come back (it is negative or no number).
std::optional<absl::Duration> PushBack(const grpc::ClientContext& ended);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_PUSH_BACK_H_
