// SPDX-License-Identifier: Apache-2.0
// Wall time of one stage after the other. Thread-safety: for one thread.
#ifndef OBJECTDINO_CORE_PIPELINE_STOPWATCH_H_
#define OBJECTDINO_CORE_PIPELINE_STOPWATCH_H_

#include <chrono>
#include <utility>

namespace objectdino {

class Stopwatch {
 public:
  // Milliseconds since the last lap.
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_STOPWATCH_H_
