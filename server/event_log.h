// SPDX-License-Identifier: Apache-2.0
// The log: one JSON object a line, events instead of prose.
//
//   {"time":"2026-01-01T12:00:00.000Z","level":"info","event":"ground.done","id":"a","code":"OK"}
#ifndef OBJECTDINO_SERVER_EVENT_LOG_H_
#define OBJECTDINO_SERVER_EVENT_LOG_H_

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace objectdino {

// Thread-safe.
class EventLog {
 public:
  // `level`: "debug", "info", "warning" or "error". `sink`: where lines go.
  EventLog(const std::shared_ptr<spdlog::sinks::sink>& sink, const std::string& level);
  static std::unique_ptr<EventLog> ToStderr(const std::string& level);
  ~EventLog();

  // `fields` is an object; bytes that are not UTF-8 are replaced.
  void Debug(const char* event, nlohmann::ordered_json fields);
  void Info(const char* event, nlohmann::ordered_json fields);
  void Warning(const char* event, nlohmann::ordered_json fields);
  void Error(const char* event, nlohmann::ordered_json fields);

 private:
  void Write(int level, const char* event, nlohmann::ordered_json&& fields);

  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_EVENT_LOG_H_
