// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/commands/run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "client/cpp/commands/commands.h"

namespace objectdino {
namespace {

constexpr char kFooter[] = R"(
Exit codes:
  0    all went well
  1    an image failed, a result could not be written, the server does not serve, or a load was
       not what was asked for
  2    bad arguments, or a folder for results that cannot be made
  3    the server cannot be reached
  130  interrupted: what was in work was finished, the rest left)";

}  // namespace

void AddAddressFlags(CLI::App& command, ServerFlags& flags) {
  command.add_option("--server", flags.address, "Address of the server, host:port")
      ->capture_default_str()
      ->type_name("ADDR");
  command
      .add_option("--tls-ca", flags.security.ca_file,
                  "Connects with TLS and trusts the certificates in this file (PEM)")
      ->type_name("FILE");
  command
      .add_option("--tls-cert", flags.security.cert_file,
                  "Own certificate (PEM), with --tls-key, for servers that ask for one")
      ->type_name("FILE");
  command.add_option("--tls-key", flags.security.key_file, "Private key (PEM) of --tls-cert")
      ->type_name("FILE");
  command
      .add_option("--token-file", flags.security.token_file,
                  "Sends the token in this file; to other machines only with TLS")
      ->type_name("FILE");
}

void AddServerFlags(CLI::App& command, ServerFlags& flags) {
  AddAddressFlags(command, flags);
  command.add_option("--timeout", flags.timeout_s, "Deadline of one call in seconds")
      ->capture_default_str()
      ->type_name("SECONDS");
}

absl::StatusOr<std::unique_ptr<GroundingClient>> Connect(const ServerFlags& flags) {
  if (!std::isfinite(flags.timeout_s))
    return absl::InvalidArgumentError("the timeout must be finite");
  ClientOptions options;
  options.timeout = absl::Seconds(flags.timeout_s);
  options.security = flags.security;
  return GroundingClient::Connect(flags.address, options);
}

int ReportServerError(const ServerFlags& flags, const absl::Status& status,
                      const Console& console) {
  console.err << absl::StrCat("objectdino: ", flags.address, ": ", ErrorText(status), "\n");
  return status.code() == absl::StatusCode::kUnavailable ? kExitUnreachable : kExitFailed;
}

int RunObjectdino(std::vector<std::string> arguments, const Console& console) {
  CLI::App program("Finds the objects in photographs with an Object-DINO grounding server.",
                   "objectdino");
  program.set_version_flag("--version", "objectdino " OBJECTDINO_VERSION);
  program.footer(kFooter);
  program.require_subcommand(1);
  const std::array<Command, 7> commands = {AddGroundCommand(program), AddVerifyCommand(program),
                                           AddHeadsCommand(program),  AddInfoCommand(program),
                                           AddHealthCommand(program), AddLoadCommand(program),
                                           AddInspectCommand(program)};
  for (const Command& command : commands) command.parser->footer(kFooter);
  try {
    std::reverse(arguments.begin(), arguments.end());  // the order that CLI11 wants
    program.parse(std::move(arguments));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) {  // --help and --version
      program.exit(e, console.out, console.err);
      return kExitOk;
    }
    const std::string reason = absl::StrReplaceAll(e.what(), {{"\n", " "}});
    console.err << absl::StrCat("objectdino: ", reason, " (see objectdino --help)\n");
    return kExitUsage;
  }
  const auto chosen = std::find_if(commands.begin(), commands.end(),
                                   [](const Command& command) { return command.parser->parsed(); });
  const int code = chosen->run(console);
  if (console.out.flush()) return code;
  console.err << "objectdino: the standard output cannot be written\n";
  return kExitFailed;
}

}  // namespace objectdino
