// SPDX-License-Identifier: Apache-2.0
// Reads the server's settings: command line, environment and file.
//
// Every flag --max-queue is also the environment variable OBJECTDINO_MAX_QUEUE and the key
// max-queue of the TOML file that --config names. A flag wins over the environment, the environment
// over the file. Unknown flags and unknown keys are errors.
#ifndef OBJECTDINO_SERVER_COMMAND_LINE_H_
#define OBJECTDINO_SERVER_COMMAND_LINE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/config.h"

namespace objectdino {

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
  // The value of every flag, wherever it came from: what the log shows. Names files, and holds
  // nothing of what is in them.
  nlohmann::ordered_json effective;
};

// The value of an environment variable, or nullptr. std::getenv outside of tests.
using Environment = std::function<const char*(const char*)>;

// `arguments` without the program's name. `version` is what --version prints. `cores`: what flags
// that are 0 mean.
CommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                             const Environment& environment, const std::string& version, int cores);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_COMMAND_LINE_H_
