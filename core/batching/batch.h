// SPDX-License-Identifier: Apache-2.0
// What goes into the batcher and what comes out of it.
// Thread-safety: plain values.
#ifndef OBJECTDINO_CORE_BATCHING_BATCH_H_
#define OBJECTDINO_CORE_BATCHING_BATCH_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace objectdino {

struct BatchLimits {
  // Tasks of one batch, >= 1.
  int max_batch = 1;
  // Patch tokens of one batch, >= 1. A task above it runs all the same, alone.
  int64_t max_tokens = int64_t{1} << 20;
  // How long an idle lane lets a task wait for company; 0 takes what is there. Never as long as
  // would make a task late.
  absl::Duration max_delay = absl::ZeroDuration();
  // Among how many lanes what waits is shared out, >= 1; with 1, a lane takes all that fits.
  int lanes = 1;
};

struct TaskTraits {
  uint64_t bucket = 0;  // only tasks of one bucket can share a batch: same patch grid, same work
  int64_t tokens = 1;   // patch tokens, >= 1
  absl::Time deadline = absl::InfiniteFuture();  // when the answer must be there; infinite: none
};

// How long a task takes once it has begun, as far as is known; 0 where nothing is. Asked again
// whenever a lane is free, since it changes while the task waits. It must not call the queue.
using ExpectedTime = std::function<absl::Duration(const TaskTraits&)>;

// Why a batch did not get another task.
enum class CloseReason {
  kFull,      // max_batch
  kTokens,    // the next one would pass max_tokens
  kDeadline,  // a longer batch, or a longer wait for one, would make a task late
  kShare,     // the rest is left to the other lanes
  kDelay,     // took all there was after max_delay
  kIdle,      // took all there was, since no delay is set
  kDrain,     // took all there was, since no more will come
};

// The reason as a metric's label: "full", "tokens", ...
inline absl::string_view CloseReasonName(CloseReason reason) {
  switch (reason) {
    case CloseReason::kFull:
      return "full";
    case CloseReason::kTokens:
      return "tokens";
    case CloseReason::kDeadline:
      return "deadline";
    case CloseReason::kShare:
      return "share";
    case CloseReason::kDelay:
      return "delay";
    case CloseReason::kIdle:
      return "idle";
    case CloseReason::kDrain:
      return "drain";
  }
  return "unknown";
}

template <typename Task>
struct Batch {
  std::vector<Task> tasks;  // to compute, most urgent first; may be empty
  std::vector<Task> late;   // of any bucket; not to compute, they would miss their deadlines

  // About `tasks`, where there are any.
  uint64_t bucket = 0;
  int64_t tokens = 0;
  CloseReason reason = CloseReason::kIdle;

  // Without tasks: when to ask again at the latest. InfiniteFuture: once something is added.
  absl::Time wake_up = absl::InfiniteFuture();
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BATCHING_BATCH_H_
