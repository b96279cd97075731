// SPDX-License-Identifier: Apache-2.0
// The commands of `objectdino`. Each adds its options to the parser and returns what to run once
// they are parsed; the result is an exit code of console.h.
#ifndef OBJECTDINO_CLIENT_CPP_COMMANDS_COMMANDS_H_
#define OBJECTDINO_CLIENT_CPP_COMMANDS_COMMANDS_H_

#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

#include "client/cpp/console.h"
#include "client/cpp/grounding_client.h"
#include "client/cpp/security.h"

namespace objectdino {

struct Command {
  CLI::App* parser = nullptr;  // owned by the program's parser
  std::function<int(const Console&)> run;
};

Command AddGroundCommand(CLI::App& program);
Command AddHeadsCommand(CLI::App& program);
Command AddInfoCommand(CLI::App& program);
Command AddHealthCommand(CLI::App& program);
Command AddLoadCommand(CLI::App& program);
Command AddInspectCommand(CLI::App& program);  // runs objectdino-inspect, which lies beside this
Command AddVerifyCommand(CLI::App& program);

// Where the server is, how to prove oneself to it and how long to wait for it.
struct ServerFlags {
  std::string address = "127.0.0.1:50051";
  SecurityOptions security;
  double timeout_s = 30;
};
// --server, --tls-ca, --tls-cert, --tls-key, --token-file. `flags` outlives `command`.
void AddAddressFlags(CLI::App& command, ServerFlags& flags);
// These and --timeout.
void AddServerFlags(CLI::App& command, ServerFlags& flags);
absl::StatusOr<std::unique_ptr<GroundingClient>> Connect(const ServerFlags& flags);

// Says on one line why there is no answer from the server, and returns the exit code for it.
int ReportServerError(const ServerFlags& flags, const absl::Status& status, const Console& console);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_COMMANDS_COMMANDS_H_
