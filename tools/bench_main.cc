// SPDX-License-Identifier: Apache-2.0
// objectdino-bench: what the method costs over the bare backbone, and what a call over a socket
// costs.
//
// Ratios of medians within one run, the two sides in turn, so that a noisy machine disturbs both
// alike.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "client/cpp/grounding_client.h"
#include "core/base/read_file.h"
#include "core/image/decode.h"
#include "core/pipeline/torch_runtime.h"
#include "server/codec.h"
#include "server/engine.h"
#include "server/ground_request.h"

namespace objectdino {
namespace {

struct Arguments {
  std::vector<std::string> images;
  std::string model = "models/dinov2-small";
  std::string server = "127.0.0.1:50051";
  std::vector<int> sizes = {224, 518};
  int rounds = 10;
  bool json = false;
};

const std::vector<std::pair<std::string, v1::Method>>& Methods() {
  static const auto& methods = *new std::vector<std::pair<std::string, v1::Method>>{
      {"object_dino", v1::METHOD_OBJECT_DINO},
      {"object_dino_cut", v1::METHOD_OBJECT_DINO_CUT},
      {"object_dino_paper", v1::METHOD_OBJECT_DINO_PAPER},
      {"tokencut", v1::METHOD_TOKENCUT},
      {"lost", v1::METHOD_LOST},
      {"cls_attention", v1::METHOD_CLS_ATTENTION}};
  return methods;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

double Milliseconds(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

[[noreturn]] void Fail(const std::string& reason) {
  std::cerr << "objectdino-bench: " << reason << "\n";
  std::exit(1);
}

template <typename T>
T ValueOrFail(absl::StatusOr<T> result) {
  if (!result.ok()) Fail(std::string(result.status().message()));
  return *std::move(result);
}

std::vector<v1::GroundRequest> ReadRequests(const std::vector<std::string>& paths) {
  std::vector<v1::GroundRequest> requests;
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> bytes = ReadFile(path);
    if (!bytes.ok()) Fail(absl::StrCat(path, ": ", bytes.status().message()));
    requests.emplace_back().mutable_image()->set_encoded(*std::move(bytes));
  }
  return requests;
}

// A whole Ground in process, as a lane does it: request to serialised reply.
void GroundOnce(const GroundingEngine& engine, const v1::GroundRequest& request) {
  const ParsedRequest parsed =
      ValueOrFail(ParseGroundRequest(request, engine.facts().config, Limits()));
  const RequestImage image = ValueOrFail(ReadRequestImage(request.image(), parsed.decode));
  const Grounding grounding = ValueOrFail(engine.Ground(image.image, parsed.options));
  v1::GroundResponse response;
  EncodeGrounding(grounding, parsed, image, engine.facts(), &response);
  if (response.SerializeAsString().empty()) Fail("an empty reply");
}

int Overhead(const Arguments& args) {
  SetTorchThreads(1);
  SetImageThreads(1);
  KeepFreedMemory();
  const auto engine = ValueOrFail(LoadEngine({.model_dir = args.model}));
  const auto backbone = ValueOrFail(Grounder::Load({.model_dir = args.model}));
  std::vector<v1::GroundRequest> requests = ReadRequests(args.images);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const int size : args.sizes) {
    std::vector<double> bare;
    std::map<std::string, std::vector<double>> whole;
    for (int round = -1; round < args.rounds; ++round) {  // round -1 warms up
      for (v1::GroundRequest& request : requests) {
        request.mutable_options()->set_input_size(static_cast<uint32_t>(size));
        GroundOptions options;
        options.input_size = size;
        const Image image = ValueOrFail(DecodeImage(request.image().encoded(), {})).image;
        const double forward = ValueOrFail(backbone->TimeBackbone(image, options));
        if (round >= 0) bare.push_back(forward);
        for (const auto& [name, method] : Methods()) {
          request.mutable_options()->set_method(method);
          const double ms = Milliseconds([&, &r = request] { GroundOnce(*engine, r); });
          if (round >= 0) whole[name].push_back(ms);
        }
      }
    }
    for (const auto& [name, method] : Methods()) {
      rows.push_back({{"input_size", size},
                      {"method", name},
                      {"n", bare.size()},
                      {"backbone_ms", Median(bare)},
                      {"ground_ms", Median(whole[name])},
                      {"ratio", Median(whole[name]) / Median(bare)}});
    }
  }
  if (args.json) {
    std::cout << rows.dump(2) << "\n";
    return 0;
  }
  std::printf("%6s  %-18s %4s %12s %10s %6s\n", "input", "method", "n", "backbone ms", "Ground ms",
              "ratio");
  for (const auto& row : rows) {
    std::printf("%6d  %-18s %4d %12.1f %10.1f %6.2f\n", row["input_size"].get<int>(),
                row["method"].get<std::string>().c_str(), row["n"].get<int>(),
                row["backbone_ms"].get<double>(), row["ground_ms"].get<double>(),
                row["ratio"].get<double>());
  }
  return 0;
}

int Loopback(const Arguments& args) {
  const auto client = ValueOrFail(GroundingClient::Connect(args.server, {}));
  const std::vector<v1::GroundRequest> requests = ReadRequests(args.images);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const int size : args.sizes) {
    v1::GroundOptions options;
    options.set_input_size(static_cast<uint32_t>(size));
    std::vector<double> calls;
    for (int round = -1; round < args.rounds; ++round) {
      for (const v1::GroundRequest& request : requests) {
        const double ms =
            Milliseconds([&] { ValueOrFail(client->Ground(request.image().encoded(), options)); });
        if (round >= 0) calls.push_back(ms);
      }
    }
    rows.push_back({{"input_size", size}, {"n", calls.size()}, {"call_ms", Median(calls)}});
  }
  if (args.json) {
    std::cout << rows.dump(2) << "\n";
    return 0;
  }
  for (const auto& row : rows) {
    std::printf("input %d: %.1f ms a call over the socket, median of %d\n",
                row["input_size"].get<int>(), row["call_ms"].get<double>(), row["n"].get<int>());
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Benchmarks of Object-DINO: medians, and ratios within one run.");
  app.footer("Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage.");
  app.require_subcommand(1);
  Arguments args;
  const auto common = [&args](CLI::App* command) {
    command->add_option("images", args.images, "Images to ground")
        ->required()
        ->check(CLI::ExistingFile);
    command->add_option("--sizes", args.sizes, "Input sizes, pixels")
        ->delimiter(',')
        ->capture_default_str();
    command->add_option("--rounds", args.rounds, "Rounds over the images, after one that warms up")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    command->add_flag("--json", args.json, "One JSON document on stdout");
  };
  CLI::App* overhead = app.add_subcommand("overhead",
                                          "Whole Ground (decode to serialised reply) against the "
                                          "bare backbone, in process, one thread");
  common(overhead);
  overhead->add_option("--model", args.model, "Model folder")->capture_default_str();
  CLI::App* loopback =
      app.add_subcommand("loopback", "Ground calls, one after the other, to a running server");
  common(loopback);
  loopback->add_option("--server", args.server, "Address of the server")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return overhead->parsed() ? Overhead(args) : Loopback(args);
}

}  // namespace
}  // namespace objectdino

int main(int argc, char** argv) { return objectdino::Main(argc, argv); }
