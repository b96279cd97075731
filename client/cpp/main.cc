// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <unistd.h>
#include <vector>

#include "client/cpp/commands/run.h"

namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

// The second Ctrl-C finds the default action again, and ends the program at once.
void OnInterrupt(int) { interrupted = true; }

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  // gRPC's own messages, such as of a failed handshake, would come on top of ours.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  try {
    return objectdino::RunObjectdino(
        std::vector<std::string>(argv + 1, argv + argc),
        {std::cout, std::cerr, isatty(STDERR_FILENO) == 1, interrupted});
  } catch (const std::exception& e) {
    std::cerr << "objectdino: " << e.what() << "\n";
    return objectdino::kExitFailed;
  }
}
