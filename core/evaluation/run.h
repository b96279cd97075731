// SPDX-License-Identifier: Apache-2.0
// Works through images on several threads.
#ifndef OBJECTDINO_CORE_EVALUATION_RUN_H_
#define OBJECTDINO_CORE_EVALUATION_RUN_H_

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/evaluation/dataset.h"
#include "core/evaluation/record.h"

namespace objectdino {

struct RunOptions {
  int lanes = 1;               // threads, at least one
  std::function<bool()> stop;  // asked before each image, from any thread; may be empty
};

// Calls `measure` for the samples numbered `todo`, from any of the threads, and hands each result
// to `done`, one call at a time. Returns the first error of either, with the image's name in front;
// CANCELLED once `stop` said so. What is in work is finished first. Thread-safety: makes its own
// threads.
absl::Status MeasureSamples(
    absl::Span<const Sample> samples, absl::Span<const size_t> todo, const RunOptions& options,
    const std::function<absl::StatusOr<ImageRecord>(const Sample&)>& measure,
    const std::function<absl::Status(size_t, const ImageRecord&)>& done);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_RUN_H_
