// SPDX-License-Identifier: Apache-2.0
// TLS for the listening port, with certificates that are replaced without a restart.
//
// At most once a second, a new connection looks whether a file has changed. What was read is used
// only when it is whole and fits together; until then connections go on with what was good, and the
// log says why ("tls.reload_failed"). gRPC's own file watcher hands a key of another certificate to
// the handshake, after which no client gets in, so the older fetcher interface of its core is used.
#ifndef OBJECTDINO_SERVER_TLS_H_
#define OBJECTDINO_SERVER_TLS_H_

#include <grpcpp/security/server_credentials.h>
#include <memory>

#include "absl/status/statusor.h"

#include "server/event_log.h"
#include "server/tls_files.h"

namespace objectdino {

// Clients need a certificate where files.client_ca is set; TLS 1.2 or later either way. Statuses as
// LoadTlsMaterial. REQUIRES: files.enabled(); the result is kept until the server that listens with
// it is gone, since gRPC does not do that. `log` outlives the credentials.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(const TlsFiles& files,
                                                                            EventLog& log);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_TLS_H_
