// SPDX-License-Identifier: Apache-2.0
// A certificate, its key and the roots of clients, read and checked before anything uses them.
//
// Thread-safety: pure function of the file system.
#ifndef OBJECTDINO_SERVER_TLS_MATERIAL_H_
#define OBJECTDINO_SERVER_TLS_MATERIAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "server/tls_files.h"

namespace objectdino {

struct TlsMaterial {
  std::string certificate;  // PEM
  std::string key;          // PEM
  std::string client_ca;    // PEM; empty = clients need no certificate
  absl::Time not_after;     // of the server's own certificate
};

// FAILED_PRECONDITION, one line that names the file: it cannot be read, is empty or not PEM; the
// key has a password or belongs to another certificate. A certificate whose time is over is none of
// these: see not_after. REQUIRES: files.enabled().
absl::StatusOr<TlsMaterial> LoadTlsMaterial(const TlsFiles& files);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_TLS_MATERIAL_H_
