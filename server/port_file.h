// SPDX-License-Identifier: Apache-2.0
// Tells scripts where the server listens.
#ifndef OBJECTDINO_SERVER_PORT_FILE_H_
#define OBJECTDINO_SERVER_PORT_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace objectdino {

// Lines "grpc=HOST:PORT" and "metrics=HOST:PORT"; nothing after = where there is no endpoint.
// Readers see the whole file or none. FAILED_PRECONDITION: the file cannot be written.
absl::Status WritePortFile(const std::string& path, const std::string& grpc_address,
                           const std::string& metrics_address);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_PORT_FILE_H_
