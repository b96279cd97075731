// SPDX-License-Identifier: Apache-2.0
// What the operating system knows of this process, under the names that Prometheus' own client
// libraries use. Read from /proc at every scrape.
//
// Thread-safe.
#ifndef OBJECTDINO_SERVER_PROCESS_METRICS_H_
#define OBJECTDINO_SERVER_PROCESS_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <string>
#include <vector>

#include "server/metrics.h"

namespace objectdino {

inline constexpr MetricName kProcessCpu = {"process_cpu_seconds_total",
                                           "User and system time of the process"};
inline constexpr MetricName kProcessResidentMemory = {"process_resident_memory_bytes",
                                                      "Memory of the process that is in RAM"};
inline constexpr MetricName kProcessVirtualMemory = {"process_virtual_memory_bytes",
                                                     "Address space of the process"};
inline constexpr MetricName kProcessOpenFds = {"process_open_fds", "Open file descriptors"};
inline constexpr MetricName kProcessMaxFds = {"process_max_fds",
                                              "How many file descriptors may be open"};
inline constexpr MetricName kProcessStartTime = {"process_start_time_seconds",
                                                 "Unix time at which the process began"};
inline constexpr MetricName kProcessThreads = {"process_threads", "Threads of the process"};

inline constexpr MetricName kProcessMetrics[] = {
    kProcessCpu,    kProcessResidentMemory, kProcessVirtualMemory, kProcessOpenFds,
    kProcessMaxFds, kProcessStartTime,      kProcessThreads};

class ProcessMetrics final : public prometheus::Collectable {
 public:
  // `proc`: where the kernel shows processes; another folder in tests.
  explicit ProcessMetrics(std::string proc = "/proc") : proc_(std::move(proc)) {}

  // Leaves out what cannot be read.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string proc_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_PROCESS_METRICS_H_
