// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "client/cpp/commands/commands.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

// Replaces this program. A program of its own reads the models: that takes the engine, which the
// client goes without.
int RunInspect(const CLI::App& parser, const Console& console) {
  std::error_code error;
  const fs::path program =
      fs::read_symlink("/proc/self/exe", error).replace_filename("objectdino-inspect");
  std::vector<std::string> arguments = parser.remaining();
  arguments.insert(arguments.begin(), program.string());
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  console.out.flush();
  execv(program.c_str(), pointers.data());
  console.err << "objectdino: " << program.string() << ": " << std::strerror(errno) << "\n";
  return kExitFailed;
}

}  // namespace

Command AddInspectCommand(CLI::App& program) {
  CLI::App* parser = program.add_subcommand(
      "inspect", "Says what a model on disk is: family, dimensions, layout, what is missing");
  // Everything behind the name goes on as it is, --help too.
  parser->prefix_command();
  parser->set_help_flag();
  return {parser, [parser](const Console& console) { return RunInspect(*parser, console); }};
}

}  // namespace objectdino
