// SPDX-License-Identifier: Apache-2.0
// What a command of `objectdino` talks to, and the exit codes it answers with.
#ifndef OBJECTDINO_CLIENT_CPP_CONSOLE_H_
#define OBJECTDINO_CLIENT_CPP_CONSOLE_H_

#include <atomic>
#include <ostream>

namespace objectdino {

// Owned by main() or by a test; outlives the command.
struct Console {
  std::ostream& out;                     // results
  std::ostream& err;                     // messages
  bool err_is_terminal = false;          // allows a progress bar
  const std::atomic<bool>& interrupted;  // set by Ctrl-C
};

// --help documents them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;       // an image failed, or the server does not serve
inline constexpr int kExitUsage = 2;        // bad arguments, or a folder that cannot be made
inline constexpr int kExitUnreachable = 3;  // no answer from the server
inline constexpr int kExitInterrupted = 130;

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_CONSOLE_H_
