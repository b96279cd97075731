// SPDX-License-Identifier: Apache-2.0
// The one place that turns an absl::Status into what goes over the wire.
#ifndef OBJECTDINO_SERVER_GRPC_STATUS_H_
#define OBJECTDINO_SERVER_GRPC_STATUS_H_

#include <grpcpp/support/status.h>
#include <string>

#include "absl/status/status.h"

namespace objectdino {

inline constexpr size_t kMaxStatusMessageBytes = 1024;

struct WireStatus {
  grpc::Status status;   // with google.rpc details: BadRequest, ErrorInfo, RetryInfo
  std::string incident;  // id in the message of an INTERNAL status; the log has the text under it
};

// Codes of the status contract pass as they are, any other code is INTERNAL. An INTERNAL text stays
// in the house: the caller logs it with `incident`. Messages are cut at kMaxStatusMessageBytes, on
// a UTF-8 boundary. Thread-safe.
WireStatus ToWireStatus(const absl::Status& status);

// "RESOURCE_EXHAUSTED"; for metrics and logs.
std::string CodeName(const grpc::Status& status);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_GRPC_STATUS_H_
