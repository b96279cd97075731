// SPDX-License-Identifier: Apache-2.0
// Reads what an EventLog writes, and waits for it.
#ifndef OBJECTDINO_TESTS_SUPPORT_LOG_CAPTURE_H_
#define OBJECTDINO_TESTS_SUPPORT_LOG_CAPTURE_H_

#include <algorithm>
#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include <nlohmann/json.hpp>

#include "core/base/mutex.h"

namespace objectdino::testing {

class LogCapture final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // The first line of `event` about request `id`, waited for if need be.
  nlohmann::json WaitFor(const std::string& event, const std::string& id) {
    const MutexLock lock(lines_mutex_);
    for (size_t seen = 0;; ++seen) {
      while (seen == lines_.size()) arrived_.Wait(lines_mutex_);
      if (IsLine(lines_[seen], event, id)) return lines_[seen];
    }
  }

  bool Has(const std::string& event, const std::string& id) {
    const std::vector<nlohmann::json> all = lines();
    return std::any_of(all.begin(), all.end(),
                       [&](const nlohmann::json& line) { return IsLine(line, event, id); });
  }

  std::vector<nlohmann::json> lines() {
    const MutexLock lock(lines_mutex_);
    return lines_;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const MutexLock lock(lines_mutex_);
    lines_.push_back(nlohmann::json::parse(message.payload.data(),
                                           message.payload.data() + message.payload.size()));
    arrived_.NotifyAll();
  }
  void flush_() override {}

 private:
  static bool IsLine(const nlohmann::json& line, const std::string& event, const std::string& id) {
    return line.value("event", "") == event && line.value("id", "") == id;
  }

  Mutex lines_mutex_;
  CondVar arrived_;
  std::vector<nlohmann::json> lines_ ABSL_GUARDED_BY(lines_mutex_);
};

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_LOG_CAPTURE_H_
