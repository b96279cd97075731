// SPDX-License-Identifier: Apache-2.0
// How a client proves who it is and makes sure of its server: TLS and bearer token, from files.
// Thread-safety: pure functions of the file system.
#ifndef OBJECTDINO_CLIENT_CPP_SECURITY_H_
#define OBJECTDINO_CLIENT_CPP_SECURITY_H_

#include <grpcpp/security/credentials.h>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

// Files in PEM, unless it says otherwise; empty = none.
struct SecurityOptions {
  std::string ca_file;     // whose certificates are trusted; set = the connection uses TLS
  std::string cert_file;   // the client's own certificate, for servers that ask for one
  std::string key_file;    // its private key; both or neither
  std::string token_file;  // plain text: sent as "authorization: Bearer <token>"
};

// What calls need; copies share.
struct Security {
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string authorization;  // of every call; empty = none

  void AddTo(grpc::ClientContext& context) const;
};

// Whether a gRPC target is certain to be this machine: "localhost", 127.0.0.0/8, [::1] or a unix
// socket. Names are not looked up.
bool IsLoopback(absl::string_view address);

// Reads the files, once. INVALID_ARGUMENT, naming the file: one that is missing or of another kind,
// a certificate without key or without ca_file, a token that would go unencrypted to an `address`
// other than loopback.
absl::StatusOr<Security> MakeSecurity(const std::string& address, const SecurityOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_SECURITY_H_
