// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/bench/commands.h"
#include "tools/bench/measure.h"

#include "core/image/decode.h"
#include "core/pipeline/torch_runtime.h"
#include "server/codec.h"
#include "server/engine.h"
#include "server/ground_request.h"

namespace objectdino {
namespace {

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

std::vector<v1::GroundRequest> ReadRequests(const std::vector<std::string>& paths) {
  std::vector<v1::GroundRequest> requests;
  for (const std::string& path : paths) {
    requests.emplace_back().mutable_image()->set_encoded(ReadFileOrFail(path));
  }
  return requests;
}

// A whole Ground in process, as a lane does it: request to serialised reply.
void GroundOnce(const GroundingEngine& engine, const v1::GroundRequest& request) {
  const ParsedRequest parsed =
      ValueOrFail(ParseGroundRequest(QuestionOf(request), engine.facts().config, Limits()));
  const RequestImage image = ValueOrFail(ReadRequestImage(request.image(), parsed.decode));
  const Grounding grounding = ValueOrFail(engine.Ground(image.image, parsed.options));
  v1::GroundResponse response;
  EncodeGrounding(grounding, parsed, image, engine.facts(), &response);
  if (response.SerializeAsString().empty()) Fail("an empty reply");
}

}  // namespace

int Overhead(const BenchArguments& args) {
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

}  // namespace objectdino
