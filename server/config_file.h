// SPDX-License-Identifier: Apache-2.0
// A TOML file as a source of flags.
//
//   max-queue = 100          # --max-queue 100
//   [tls]
//   cert = "server.pem"      # --tls-cert server.pem
//
// A key is a flag without its dashes; the name of a table is a prefix. Thread-safety: pure
// function.
#ifndef OBJECTDINO_SERVER_CONFIG_FILE_H_
#define OBJECTDINO_SERVER_CONFIG_FILE_H_

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace objectdino {

struct FileEntry {
  std::string key;    // "tls-cert"
  std::string value;  // as a flag would have it: "server.pem", "100", "0.5", "true"
  int line = 0;
};

// INVALID_ARGUMENT: not TOML, or a value that no flag has (an array, a date); says which line.
absl::StatusOr<std::vector<FileEntry>> ReadConfigFile(std::istream& file);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_CONFIG_FILE_H_
