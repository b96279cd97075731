// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/bench/commands.h"
#include "tools/bench/measure.h"

#include "client/cpp/grounding_client.h"

namespace objectdino {

int Loopback(const BenchArguments& args) {
  const auto client = ValueOrFail(GroundingClient::Connect(args.server, {}));
  std::vector<std::string> images;
  for (const std::string& path : args.images) images.push_back(ReadFileOrFail(path));
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const int size : args.sizes) {
    v1::GroundOptions options;
    options.set_input_size(static_cast<uint32_t>(size));
    std::vector<double> calls;
    for (int round = -1; round < args.rounds; ++round) {
      for (const std::string& image : images) {
        const double ms = Milliseconds([&] { ValueOrFail(client->Ground(image, options)); });
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

}  // namespace objectdino
