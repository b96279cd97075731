// SPDX-License-Identifier: Apache-2.0
#include "server/event_log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace objectdino {
namespace {

using nlohmann::ordered_json;

std::string Now() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
}

}  // namespace

EventLog::EventLog(const std::shared_ptr<spdlog::sinks::sink>& sink, const std::string& level)
    : logger_(std::make_unique<spdlog::logger>("objectdino", sink)) {
  logger_->set_pattern("%v");
  logger_->set_level(spdlog::level::from_str(level));
  logger_->flush_on(spdlog::level::debug);
}

EventLog::~EventLog() = default;

std::unique_ptr<EventLog> EventLog::ToStderr(const std::string& level) {
  return std::make_unique<EventLog>(std::make_shared<spdlog::sinks::stderr_sink_mt>(), level);
}

void EventLog::Write(int level, const char* event, ordered_json&& fields) {
  const auto spd_level = static_cast<spdlog::level::level_enum>(level);
  if (!logger_->should_log(spd_level)) return;
  const spdlog::string_view_t name = spdlog::level::to_string_view(spd_level);
  ordered_json line = {
      {"time", Now()}, {"level", std::string(name.data(), name.size())}, {"event", event}};
  for (auto& [key, value] : fields.items()) line[key] = std::move(value);
  const std::string text = line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  logger_->log(spd_level, spdlog::string_view_t(text.data(), text.size()));
}

void EventLog::Debug(const char* event, ordered_json fields) {
  Write(spdlog::level::debug, event, std::move(fields));
}
void EventLog::Info(const char* event, ordered_json fields) {
  Write(spdlog::level::info, event, std::move(fields));
}
void EventLog::Warning(const char* event, ordered_json fields) {
  Write(spdlog::level::warn, event, std::move(fields));
}
void EventLog::Error(const char* event, ordered_json fields) {
  Write(spdlog::level::err, event, std::move(fields));
}

}  // namespace objectdino
