// SPDX-License-Identifier: Apache-2.0
// The program `objectdino`: parses the command line and runs the command it names.
#ifndef OBJECTDINO_CLIENT_CPP_COMMANDS_RUN_H_
#define OBJECTDINO_CLIENT_CPP_COMMANDS_RUN_H_

#include <string>
#include <vector>

#include "client/cpp/console.h"

namespace objectdino {

// `arguments` come without the program's name. Returns the exit code, one of console.h; whatever
// goes wrong is one line on console.err that begins with "objectdino: ".
int RunObjectdino(std::vector<std::string> arguments, const Console& console);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_COMMANDS_RUN_H_
