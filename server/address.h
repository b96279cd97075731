// SPDX-License-Identifier: Apache-2.0
// "HOST:PORT" as the command line knows it.
#ifndef OBJECTDINO_SERVER_ADDRESS_H_
#define OBJECTDINO_SERVER_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

struct Address {
  std::string host;  // without the brackets of an IPv6 address
  int port = 0;      // 0 = any free port

  bool loopback() const;  // 127.0.0.0/8, ::1 or localhost
  std::string ToString() const;
};

// INVALID_ARGUMENT: no host, no port, a port above 65535, or an IPv6 address without brackets.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_ADDRESS_H_
