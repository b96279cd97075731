// SPDX-License-Identifier: Apache-2.0
// objectdino-bench: what the method costs over the bare backbone, what a call over a socket costs,
// and how many images a second the engine does without a server, by lanes, threads and batch.
//
// Ratios of medians within one run, the sides in turn, so that a noisy machine disturbs all alike.
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "tools/bench/commands.h"

namespace objectdino {
namespace {

constexpr int kMaxBatch = 256;

void AddImages(CLI::App* command, BenchArguments& args) {
  command->add_option("images", args.images, "Images to ground")
      ->required()
      ->check(CLI::ExistingFile);
}

void AddModel(CLI::App* command, BenchArguments& args) {
  command->add_option("--model", args.model, "Model folder")->capture_default_str();
}

void AddJson(CLI::App* command, BenchArguments& args) {
  command->add_flag("--json", args.json, "One JSON document on stdout");
}

void AddRounds(CLI::App* command, BenchArguments& args, const std::string& what) {
  command->add_option("--rounds", args.rounds, what)
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
}

void AddSizes(CLI::App* command, BenchArguments& args) {
  command->add_option("--sizes", args.sizes, "Input sizes, pixels")
      ->delimiter(',')
      ->allow_extra_args(false)  // what follows are images
      ->capture_default_str();
}

// `more`: several values of lanes, threads and batch, separated by commas.
void AddLoop(CLI::App* command, BenchArguments& args, bool more) {
  const auto number = [&](const std::string& name, std::vector<int>& values, int most,
                          const std::string& what) {
    CLI::Option* option = command->add_option(name, values, what)
                              ->check(CLI::Range(1, most))
                              ->allow_extra_args(false)
                              ->capture_default_str();
    if (more) option->delimiter(',');
  };
  number("--lanes", args.lanes, 256, "Threads that each take one batch after the other");
  number("--threads", args.threads, 256, "Torch threads a lane");
  number(more ? "--batches" : "--batch", args.batches, kMaxBatch, "Images in a forward pass");
  command->add_option("--size", args.size, "Input size, pixels")->capture_default_str();
  command->add_option("--seconds", args.seconds, "For each of the figures")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
}

int Main(int argc, char** argv) {
  CLI::App app("Benchmarks of Object-DINO: medians, and ratios within one run.");
  app.footer("Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage.");
  app.require_subcommand(1);
  const auto command = [&app](const std::string& name, const std::string& what,
                              BenchArguments& args) {
    CLI::App* added = app.add_subcommand(name, what);
    AddImages(added, args);
    return added;
  };
  BenchArguments overhead;
  BenchArguments loopback;
  BenchArguments engine;
  BenchArguments grid;
  BenchArguments rpc;
  const std::string rounds = "Rounds over the images, after one that warms up";
  CLI::App* added = command("overhead",
                            "Whole Ground (decode to serialised reply) against the bare backbone, "
                            "in process, one thread",
                            overhead);
  AddModel(added, overhead);
  AddSizes(added, overhead);
  AddRounds(added, overhead, rounds);
  AddJson(added, overhead);
  added = command("loopback", "Ground calls, one after the other, to a running server", loopback);
  added->add_option("--server", loopback.server, "Address of the server")->capture_default_str();
  AddSizes(added, loopback);
  AddRounds(added, loopback, rounds);
  AddJson(added, loopback);
  added = command("engine",
                  "Images a second of the bare engine loop, without a server: Infer alone, and "
                  "Prepare, Infer and Finish, without and with decoding. JSON on stdout",
                  engine);
  AddModel(added, engine);
  AddLoop(added, engine, /*more=*/false);
  grid.lanes = grid.threads = {1, 2};
  grid.batches = {1, 2, 4, 8};
  grid.rounds = 3;
  grid.seconds = 2;
  added = command("grid",
                  "The same for every combination of lanes, threads and batch, each in a process "
                  "of its own, in turn; medians over the rounds",
                  grid);
  AddModel(added, grid);
  AddLoop(added, grid, /*more=*/true);
  AddRounds(added, grid, "Rounds over the combinations");
  AddJson(added, grid);
  rpc.rounds = 300;
  added = command("rpc",
                  "What the server costs beside the computation: an engine that computes nothing, "
                  "in turn with an echo RPC of the same sizes; one image",
                  rpc);
  AddRounds(added, rpc, "Calls of each");
  AddJson(added, rpc);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const CLI::App* chosen = app.get_subcommands().front();
  if (chosen->get_name() == "overhead") return Overhead(overhead);
  if (chosen->get_name() == "loopback") return Loopback(loopback);
  if (chosen->get_name() == "rpc") return Rpc(rpc);
  return chosen->get_name() == "engine" ? Engine(engine) : Grid(grid);
}

}  // namespace
}  // namespace objectdino

int main(int argc, char** argv) { return objectdino::Main(argc, argv); }
