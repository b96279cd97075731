// SPDX-License-Identifier: Apache-2.0
// Where the certificates lie.
#ifndef OBJECTDINO_SERVER_TLS_FILES_H_
#define OBJECTDINO_SERVER_TLS_FILES_H_

#include <string>

namespace objectdino {

// Paths of PEM files. Empty = none.
struct TlsFiles {
  std::string certificate;  // the server's own, first, then those that lead to its root
  std::string key;
  std::string client_ca;  // set: clients must show a certificate that one of these has signed

  bool enabled() const { return !certificate.empty(); }
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_TLS_FILES_H_
