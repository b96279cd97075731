// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/run.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace objectdino {
namespace {

// What the lanes share.
struct Progress {
  absl::Mutex mutex;
  absl::Status first_error ABSL_GUARDED_BY(mutex);
};

}  // namespace

absl::Status MeasureSamples(
    absl::Span<const Sample> samples, absl::Span<const size_t> todo, const RunOptions& options,
    const std::function<absl::StatusOr<ImageRecord>(const Sample&)>& measure,
    const std::function<absl::Status(size_t, const ImageRecord&)>& done) {
  // An exception must not leave a thread.
  const auto guarded = [&measure](const Sample& sample) -> absl::StatusOr<ImageRecord> {
    try {
      return measure(sample);
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError("out of memory");
    }
  };
  std::atomic<size_t> next = 0;
  Progress progress;
  const auto lane = [&] {
    for (size_t i = next++; i < todo.size(); i = next++) {
      const bool stop = options.stop && options.stop();
      const Sample& sample = samples[todo[i]];
      const absl::StatusOr<ImageRecord> record =
          stop ? absl::CancelledError("stopped") : guarded(sample);
      const absl::MutexLock lock(&progress.mutex);
      if (!progress.first_error.ok()) return;
      absl::Status status = record.status();
      if (status.ok()) status = done(todo[i], *record);
      if (!status.ok()) {
        progress.first_error =
            stop ? status
                 : absl::Status(status.code(), absl::StrCat(sample.name, ": ", status.message()));
        return;
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < std::max(1, options.lanes); ++i) threads.emplace_back(lane);
  }
  const absl::MutexLock lock(&progress.mutex);
  return progress.first_error;
}

}  // namespace objectdino
