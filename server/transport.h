// SPDX-License-Identifier: Apache-2.0
// What gRPC's transport and its extra services are told before a server starts.
//
// Not thread-safe: a builder belongs to one thread.
#ifndef OBJECTDINO_SERVER_TRANSPORT_H_
#define OBJECTDINO_SERVER_TRANSPORT_H_

#include <grpcpp/server_builder.h>

#include "server/config.h"

namespace objectdino {

void SetConnectionLimits(const ConnectionLimits& limits, grpc::ServerBuilder& builder);

// Server reflection, for this server only; gRPC's own switch is for all of the process.
void SetReflection(bool on, grpc::ServerBuilder& builder);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_TRANSPORT_H_
