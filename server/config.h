// SPDX-License-Identifier: Apache-2.0
// The server's settings: command line, environment and file.
//
// Every flag --max-inflight is also the environment variable OBJECTDINO_MAX_INFLIGHT and the key
// max-inflight of the file that --config names. A flag wins over the environment, the environment
// over the file. Unknown flags and unknown keys are errors.
#ifndef OBJECTDINO_SERVER_CONFIG_H_
#define OBJECTDINO_SERVER_CONFIG_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "server/limits.h"

namespace objectdino {

inline constexpr char kNoMetrics[] = "none";

struct ServerConfig {
  std::string model;  // folder in Hugging Face layout
  std::string listen = "127.0.0.1:50051";
  std::string metrics_listen = "127.0.0.1:9464";  // kNoMetrics = no endpoint
  bool allow_non_loopback = false;
  std::string port_file;  // empty = none
  std::string device = "cpu";
  int lanes = 0;    // threads that compute; 0 = one a core
  int threads = 1;  // Torch threads of a lane
  int grace_seconds = 30;
  std::string log_level = "info";
  Limits limits;

  // INVALID_ARGUMENT: what a single flag's check cannot see.
  absl::Status Validate() const;
};

// Exit codes of the server, documented in --help.
inline constexpr int kExitOk = 0;
inline constexpr int kExitStartFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitForced = 3;

// What the command line asks for: to serve, or to print a text and leave.
struct CommandLine {
  std::optional<ServerConfig> config;  // unset: print `text` and exit with `exit_code`
  int exit_code = kExitOk;
  std::string text;
};

// The value of an environment variable, or nullptr. std::getenv outside of tests.
using Environment = std::function<const char*(const char*)>;

// `arguments` without the program's name. `version` is what --version prints.
CommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                             const Environment& environment, const std::string& version);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_CONFIG_H_
