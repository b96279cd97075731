// SPDX-License-Identifier: Apache-2.0
// Reads what an EventLog writes, and waits for it.
#ifndef OBJECTDINO_TESTS_SUPPORT_LOG_CAPTURE_H_
#define OBJECTDINO_TESTS_SUPPORT_LOG_CAPTURE_H_

#include <algorithm>
#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include <nlohmann/json.hpp>

namespace objectdino::testing {

class LogCapture final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // The first line of `event` about request `id`, waited for if need be.
  nlohmann::json WaitFor(const std::string& event, const std::string& id) {
    nlohmann::json found;
    const auto arrived = [&] {
      for (const nlohmann::json& line : lines_) {
        if (line.value("event", "") == event && line.value("id", "") == id) {
          found = line;
          return true;
        }
      }
      return false;
    };
    const absl::MutexLock lock(&lines_mutex_);
    lines_mutex_.Await(absl::Condition(&arrived));
    return found;
  }

  bool Has(const std::string& event, const std::string& id) {
    const std::vector<nlohmann::json> all = lines();
    return std::any_of(all.begin(), all.end(), [&](const nlohmann::json& line) {
      return line.value("event", "") == event && line.value("id", "") == id;
    });
  }

  std::vector<nlohmann::json> lines() {
    const absl::MutexLock lock(&lines_mutex_);
    return lines_;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const absl::MutexLock lock(&lines_mutex_);
    lines_.push_back(nlohmann::json::parse(message.payload.data(),
                                           message.payload.data() + message.payload.size()));
  }
  void flush_() override {}

 private:
  absl::Mutex lines_mutex_;
  std::vector<nlohmann::json> lines_;  // guarded by lines_mutex_
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_LOG_CAPTURE_H_
