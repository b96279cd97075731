// SPDX-License-Identifier: Apache-2.0
#include "server/warm_up.h"

#include <cmath>
#include <thread>
#include <vector>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

// A bright disc on dark ground, shaded, so that an object is found and every stage has its work.
Image Disc(int side) {
  Image image;
  image.height = image.width = side;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const bool inside = std::hypot(x - 0.5 * side, y - 0.5 * side) < 0.3 * side;
      const int shade = (inside ? 160 : 40) + 60 * x / side;
      for (const int tint : {0, 20, -20}) {
        image.rgb.push_back(static_cast<uint8_t>(shade + tint));
      }
    }
  }
  return image;
}

}  // namespace

absl::Status WarmUp(const GroundingEngine& engine, const GroundOptions& options, int lanes) {
  const Image image = Disc(options.input_size);
  std::vector<absl::Status> outcomes(static_cast<size_t>(lanes));
  std::vector<std::thread> threads;
  threads.reserve(outcomes.size());
  for (absl::Status& outcome : outcomes) {
    threads.emplace_back([&] { outcome = engine.Ground(image, options).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& outcome : outcomes) OBJECTDINO_RETURN_IF_ERROR(outcome);
  return absl::OkStatus();
}

}  // namespace objectdino
