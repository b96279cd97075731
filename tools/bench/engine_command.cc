// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iostream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/bench/commands.h"
#include "tools/bench/measure.h"

#include "core/image/decode.h"
#include "core/pipeline/grounder.h"
#include "core/pipeline/torch_runtime.h"

namespace objectdino {
namespace {

using Clock = std::chrono::steady_clock;

// The images of a lane's batches: round and round, each lane from its own.
class Turn {
 public:
  Turn(size_t images, size_t first) : images_(images), next_(first) {}
  size_t Next() { return next_++ % images_; }

 private:
  size_t images_;
  size_t next_;
};

// Runs `batch` again and again on each lane, after once to warm up.
nlohmann::ordered_json Rate(const BenchArguments& args,
                            const std::function<void(Turn& turn)>& batch) {
  const auto lanes = static_cast<size_t>(args.lanes.front());
  std::vector<int> batches(lanes, 0);
  std::vector<double> seconds(lanes, 0);
  std::barrier warm(static_cast<std::ptrdiff_t>(lanes));
  const auto work = [&](size_t lane) {
    Turn turn(args.images.size(), lane);
    batch(turn);
    warm.arrive_and_wait();
    const Clock::time_point start = Clock::now();
    do {
      batch(turn);
      ++batches[lane];
      seconds[lane] = std::chrono::duration<double>(Clock::now() - start).count();
    } while (seconds[lane] < args.seconds);
  };
  std::vector<std::thread> threads;
  for (size_t lane = 0; lane < lanes; ++lane) threads.emplace_back(work, lane);
  for (std::thread& thread : threads) thread.join();
  int images = 0;
  double rate = 0;
  for (size_t lane = 0; lane < lanes; ++lane) {
    images += batches[lane] * args.batches.front();
    rate += batches[lane] * args.batches.front() / seconds[lane];
  }
  return {{"images", images},
          {"seconds", *std::max_element(seconds.begin(), seconds.end())},
          {"images_per_second", rate}};
}

std::vector<absl::StatusOr<InferredImage>> Infer(const Grounder& grounder,
                                                 absl::Span<const PreparedImage* const> batch) {
  auto inferred = grounder.Infer(batch, [] { return false; });
  for (const auto& image : inferred) {
    if (!image.ok()) Fail(std::string(image.status().message()));
  }
  return inferred;
}

}  // namespace

int Engine(const BenchArguments& args) {
  SetTorchThreads(args.threads.front());
  SetImageThreads(1);
  KeepFreedMemory();
  const std::unique_ptr<Grounder> grounder = ValueOrFail(Grounder::Load({.model_dir = args.model}));
  GroundOptions options;
  options.input_size = args.size;
  std::vector<std::string> files;
  std::vector<Image> images;
  std::vector<PreparedImage> prepared;
  for (const std::string& path : args.images) {
    files.push_back(ReadFileOrFail(path));
    images.push_back(ValueOrFail(DecodeImage(files.back(), {})).image);
    prepared.push_back(ValueOrFail(grounder->Prepare(images.back(), options)));
  }
  const int size = args.batches.front();
  const auto infer = Rate(args, [&](Turn& turn) {
    std::vector<const PreparedImage*> batch;
    for (int i = 0; i < size; ++i) batch.push_back(&prepared[turn.Next()]);
    Infer(*grounder, batch);
  });
  const auto never = [] { return false; };
  const auto ground = [&](Turn& turn, const std::function<Image(size_t)>& pixels) {
    std::vector<PreparedImage> own;
    for (int i = 0; i < size; ++i) {
      own.push_back(ValueOrFail(grounder->Prepare(pixels(turn.Next()), options)));
    }
    std::vector<const PreparedImage*> batch;
    for (const PreparedImage& image : own) batch.push_back(&image);
    auto inferred = Infer(*grounder, batch);
    for (size_t i = 0; i < own.size(); ++i) {
      ValueOrFail(grounder->Finish(std::move(own[i]), *std::move(inferred[i]), never));
    }
  };
  const auto whole =
      Rate(args, [&](Turn& turn) { ground(turn, [&](size_t index) { return images[index]; }); });
  const auto decoded = Rate(args, [&](Turn& turn) {
    ground(turn, [&](size_t index) { return ValueOrFail(DecodeImage(files[index], {})).image; });
  });
  const nlohmann::ordered_json cell = {{"model", grounder->model_name()},
                                       {"size", args.size},
                                       {"lanes", args.lanes.front()},
                                       {"threads", args.threads.front()},
                                       {"batch", size},
                                       {"infer", infer},
                                       {"whole", whole},
                                       {"from_bytes", decoded}};
  std::cout << cell.dump() << "\n";
  return 0;
}

}  // namespace objectdino
