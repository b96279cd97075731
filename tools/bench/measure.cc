// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"

#include "core/base/read_file.h"

namespace objectdino {

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

double Milliseconds(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

void Fail(const std::string& reason) {
  std::cerr << "objectdino-bench: " << reason << "\n";
  std::exit(1);
}

std::string ReadFileOrFail(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) Fail(absl::StrCat(path, ": ", bytes.status().message()));
  return *std::move(bytes);
}

}  // namespace objectdino
