// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "client/cpp/commands/commands.h"
#include "client/cpp/response_json.h"
#include "client/cpp/response_text.h"

namespace objectdino {
namespace {

struct InfoFlags {
  ServerFlags server;
  bool json = false;
};

int RunInfo(const InfoFlags& flags, const Console& console) {
  const auto client = Connect(flags.server);
  if (!client.ok()) {
    console.err << "objectdino: " << ErrorText(client.status()) << "\n";
    return kExitUsage;
  }
  const auto info = (*client)->GetModelInfo();
  if (!info.ok()) return ReportServerError(flags.server, info.status(), console);
  if (!flags.json) {
    console.out << ModelInfoText(*info);
    return kExitOk;
  }
  const auto document = ToJson(*info);
  if (!document.ok()) return ReportServerError(flags.server, document.status(), console);
  console.out << JsonText(*document);
  return kExitOk;
}

}  // namespace

Command AddInfoCommand(CLI::App& program) {
  auto flags = std::make_shared<InfoFlags>();
  CLI::App* parser =
      program.add_subcommand("info", "Shows what is served: model, limits, defaults");
  AddServerFlags(*parser, flags->server);
  parser->add_flag("--json", flags->json, "One JSON document instead of text");
  return {parser, [flags](const Console& console) { return RunInfo(*flags, console); }};
}

}  // namespace objectdino
