// SPDX-License-Identifier: Apache-2.0
// What the benchmarks share: timing, medians, and failing with one line. Thread-safety: pure
// functions.
#ifndef OBJECTDINO_TOOLS_BENCH_MEASURE_H_
#define OBJECTDINO_TOOLS_BENCH_MEASURE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace objectdino {

// REQUIRES: not empty.
double Median(std::vector<double> values);

// Wall time of run().
double Milliseconds(const std::function<void()>& run);

// Ends the process: one line on stderr, exit code 1.
[[noreturn]] void Fail(const std::string& reason);

template <typename T>
T ValueOrFail(absl::StatusOr<T> result) {
  if (!result.ok()) Fail(std::string(result.status().message()));
  return *std::move(result);
}

// The bytes of a file, or Fail.
std::string ReadFileOrFail(const std::string& path);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_BENCH_MEASURE_H_
