// SPDX-License-Identifier: Apache-2.0
#include "server/process_metrics.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "core/base/read_file.h"

namespace objectdino {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// Where /proc/self/stat has what, counted from the state, which is the first word behind the name.
// proc(5) numbers them from 1 with the state as 3.
constexpr size_t kUserTicks = 14 - 3;
constexpr size_t kSystemTicks = 15 - 3;
constexpr size_t kThreads = 20 - 3;
constexpr size_t kStartTicks = 22 - 3;
constexpr size_t kVirtualBytes = 23 - 3;
constexpr size_t kResidentPages = 24 - 3;

std::optional<double> Number(absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value)) return std::nullopt;
  return value;
}

// The first word behind `key` of the line that begins with it.
std::optional<double> ValueOf(const std::string& text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, key)) continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    return words.empty() ? std::nullopt : Number(words[0]);
  }
  return std::nullopt;
}

std::optional<double> OpenFds(const std::string& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  double count = 0;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  if (error) return std::nullopt;
  return count;
}

void Add(const MetricName& name, MetricType type, std::optional<double> value,
         std::vector<MetricFamily>* families) {
  if (!value.has_value()) return;
  prometheus::ClientMetric metric;
  if (type == MetricType::Counter) metric.counter.value = *value;
  if (type == MetricType::Gauge) metric.gauge.value = *value;
  families->push_back({name.name, name.help, type, {metric}});
}

}  // namespace

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> families;
  const std::string self = absl::StrCat(proc_, "/self");
  // The name of the program stands in parentheses and may hold anything, these included.
  const std::string stat = ReadFile(absl::StrCat(self, "/stat")).value_or("");
  const size_t name_end = stat.rfind(')');
  if (name_end != std::string::npos) {
    const std::vector<std::string> words =
        absl::StrSplit(stat.substr(name_end + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
    const auto field = [&](size_t i) { return i < words.size() ? Number(words[i]) : std::nullopt; };
    const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
    const auto boot = ValueOf(ReadFile(absl::StrCat(proc_, "/stat")).value_or(""), "btime ");
    const auto user = field(kUserTicks);
    const auto system = field(kSystemTicks);
    const auto start = field(kStartTicks);
    const auto pages = field(kResidentPages);
    if (user && system) {
      Add(kProcessCpu, MetricType::Counter, (*user + *system) / ticks_per_second, &families);
    }
    if (pages) {
      Add(kProcessResidentMemory, MetricType::Gauge, *pages * page_bytes, &families);
    }
    if (boot && start) {
      Add(kProcessStartTime, MetricType::Gauge, *boot + *start / ticks_per_second, &families);
    }
    Add(kProcessVirtualMemory, MetricType::Gauge, field(kVirtualBytes), &families);
    Add(kProcessThreads, MetricType::Gauge, field(kThreads), &families);
  }
  Add(kProcessOpenFds, MetricType::Gauge, OpenFds(absl::StrCat(self, "/fd")), &families);
  Add(kProcessMaxFds, MetricType::Gauge,
      ValueOf(ReadFile(absl::StrCat(self, "/limits")).value_or(""), "Max open files "), &families);
  return families;
}

}  // namespace objectdino
