// SPDX-License-Identifier: Apache-2.0
#include "server/ground_job.h"

#include <utility>

#include "absl/time/clock.h"

namespace objectdino {

absl::Status CheckStillWanted(bool cancelled, absl::Time deadline, absl::Time now) {
  if (now >= deadline) return absl::DeadlineExceededError("the deadline has passed");
  if (cancelled) return absl::CancelledError("the caller has gone away");
  return absl::OkStatus();
}

absl::Status GroundJob::StillWanted(absl::Time now) const {
  return CheckStillWanted(caller->gone.load(), deadline, now);
}

double GroundJob::Lap() {
  const absl::Time now = absl::Now();
  return absl::ToDoubleMilliseconds(now - std::exchange(mark, now));
}

Cost CostOf(const GroundOptions& options, int64_t tokens) {
  const auto flag = [](bool value, int bit) { return uint32_t{value} << bit; };
  return {static_cast<uint32_t>(options.method) << 8 | flag(options.mirror, 0) |
              flag(options.head_maps, 1) |
              flag(options.head_selection == HeadSelection::kPreset, 2) |
              flag(options.temperature.has_value(), 3) |
              flag(options.embedding_source == EmbeddingSource::kObjectHeads, 4) |
              flag(options.pixel_masks, 5),
          tokens};
}

}  // namespace objectdino
