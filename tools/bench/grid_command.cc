// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <iostream>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/bench/commands.h"
#include "tools/bench/measure.h"

namespace objectdino {
namespace {

constexpr const char* kSelf = "/proc/self/exe";

struct Cell {
  int lanes = 0;
  int threads = 0;
  int batch = 0;
  std::vector<double> infer;  // images/s, one a round
  std::vector<double> whole;
};

// Runs this program with `arguments`; what it prints.
std::string RunSelf(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "objectdino-bench");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::array<int, 2> ends = {};  // to read from, to write to
  if (pipe(ends.data()) != 0) Fail("no pipe to a process of its own");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  pid_t child = 0;
  const int failed = posix_spawn(&child, kSelf, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) Fail("no process of its own");
  std::string printed;
  std::array<char, 4096> buffer = {};
  ssize_t count = 0;
  while ((count = read(ends[0], buffer.data(), buffer.size())) > 0) {
    printed.append(buffer.data(), static_cast<size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) Fail("a cell of the grid failed");
  return printed;
}

void Measure(const BenchArguments& args, Cell& cell) {
  std::vector<std::string> arguments = {"engine",
                                        "--model",
                                        args.model,
                                        absl::StrCat("--lanes=", cell.lanes),
                                        absl::StrCat("--threads=", cell.threads),
                                        absl::StrCat("--batch=", cell.batch),
                                        absl::StrCat("--size=", args.size),
                                        absl::StrCat("--seconds=", args.seconds),
                                        "--"};
  arguments.insert(arguments.end(), args.images.begin(), args.images.end());
  const auto measured = nlohmann::json::parse(RunSelf(arguments), nullptr, false);
  if (measured.is_discarded()) Fail("a cell of the grid printed no JSON");
  cell.infer.push_back(measured["infer"]["images_per_second"].get<double>());
  cell.whole.push_back(measured["whole"]["images_per_second"].get<double>());
}

}  // namespace

int Grid(const BenchArguments& args) {
  std::vector<Cell> cells;
  for (const int lanes : args.lanes) {
    for (const int threads : args.threads) {
      for (const int batch : args.batches) cells.push_back({lanes, threads, batch, {}, {}});
    }
  }
  for (int round = 0; round < args.rounds; ++round) {
    for (Cell& cell : cells) Measure(args, cell);
  }
  if (!args.json) {
    std::printf("%5s %7s %5s %6s %14s %14s\n", "lanes", "threads", "batch", "rounds",
                "Infer images/s", "whole images/s");
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Cell& cell : cells) {
    const double infer = Median(cell.infer);
    const double whole = Median(cell.whole);
    rows.push_back({{"size", args.size},
                    {"lanes", cell.lanes},
                    {"threads", cell.threads},
                    {"batch", cell.batch},
                    {"rounds", args.rounds},
                    {"infer_images_per_second", infer},
                    {"whole_images_per_second", whole}});
    if (args.json) continue;
    std::printf("%5d %7d %5d %6d %14.2f %14.2f\n", cell.lanes, cell.threads, cell.batch,
                args.rounds, infer, whole);
  }
  if (args.json) std::cout << rows.dump(2) << "\n";
  return 0;
}

}  // namespace objectdino
