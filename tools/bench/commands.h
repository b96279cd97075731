// SPDX-License-Identifier: Apache-2.0
// The benchmarks, one a file. Each prints a table, or JSON on request, and returns the exit code;
// what goes wrong on the way ends the process with one line.
// Thread-safety: one command a process, since the number of Torch threads is set once for it.
#ifndef OBJECTDINO_TOOLS_BENCH_COMMANDS_H_
#define OBJECTDINO_TOOLS_BENCH_COMMANDS_H_

#include <string>
#include <vector>

namespace objectdino {

struct BenchArguments {
  std::vector<std::string> images;  // files
  std::string model = "models/dinov2-small";
  bool json = false;
  int rounds = 10;
  // Of Overhead and Loopback.
  std::string server = "127.0.0.1:50051";
  std::vector<int> sizes = {224, 518};
  // Of Engine (the first of each) and Grid.
  std::vector<int> lanes = {1};
  std::vector<int> threads = {1};
  std::vector<int> batches = {1};
  int size = 224;
  double seconds = 5;
};

// Whole Ground against the bare backbone, in process, one thread.
int Overhead(const BenchArguments& args);

// Ground calls, one after the other, to a running server.
int Loopback(const BenchArguments& args);

// The bare engine loop: each lane a thread that takes one batch after the other, without a server,
// for `seconds`; first Infer alone, then Prepare, Infer and Finish, then these and decoding, which
// is what a server does for an image. Prints one line of JSON.
int Engine(const BenchArguments& args);

// Engine for every combination of lanes, threads and batches, each time in a fresh process; the
// combinations in turn, so that a noisy machine disturbs all alike; medians over the rounds.
int Grid(const BenchArguments& args);

// What the server costs beside the computation: a server on the loopback interface whose engine
// computes nothing, in turn with an echo RPC that takes the same bytes and answers as many. The
// image is really decoded, and that time taken off. Medians over `rounds`.
int Rpc(const BenchArguments& args);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_BENCH_COMMANDS_H_
