// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "client/cpp/commands/commands.h"

namespace objectdino {
namespace {

using grpc::health::v1::HealthCheckResponse;

int RunHealth(const ServerFlags& flags, const Console& console) {
  const auto client = Connect(flags);
  if (!client.ok()) {
    console.err << "objectdino: " << ErrorText(client.status()) << "\n";
    return kExitUsage;
  }
  const auto health = (*client)->Health();
  if (!health.ok()) return ReportServerError(flags, health.status(), console);
  console.out << HealthCheckResponse::ServingStatus_Name(*health) << "\n";
  return *health == HealthCheckResponse::SERVING ? kExitOk : kExitFailed;
}

}  // namespace

Command AddHealthCommand(CLI::App& program) {
  auto flags = std::make_shared<ServerFlags>();
  CLI::App* parser =
      program.add_subcommand("health", "Asks whether the server serves: exit code 0 if so");
  AddServerFlags(*parser, *flags);
  return {parser, [flags](const Console& console) { return RunHealth(*flags, console); }};
}

}  // namespace objectdino
