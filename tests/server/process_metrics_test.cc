// SPDX-License-Identifier: Apache-2.0
#include "server/process_metrics.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

std::map<std::string, double> Values(const ProcessMetrics& metrics) {
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : metrics.Collect()) {
    EXPECT_EQ(family.metric.size(), 1U) << family.name;
    EXPECT_FALSE(family.help.empty()) << family.name;
    values[family.name] = family.type == prometheus::MetricType::Counter
                              ? family.metric[0].counter.value
                              : family.metric[0].gauge.value;
  }
  return values;
}

TEST(ProcessMetrics, EveryName_IsThere) {
  const std::map<std::string, double> values = Values(ProcessMetrics());
  for (const MetricName& metric : kProcessMetrics) {
    EXPECT_EQ(values.count(metric.name), 1U) << metric.name;
  }
  EXPECT_EQ(values.size(), std::size(kProcessMetrics));
}

TEST(ProcessMetrics, FilesOfAProcess_AreReadAsDocumented) {
  const std::string proc =
      absl::StrCat(::testing::TempDir(), "proc_",
                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::remove_all(proc);
  std::filesystem::create_directories(proc + "/self/fd");
  for (int fd : {0, 1, 2, 7}) std::ofstream(absl::StrCat(proc, "/self/fd/", fd));
  std::ofstream(proc + "/stat") << "cpu 1 2 3\nbtime 1700000000\nprocesses 9\n";
  std::ofstream(proc + "/self/limits")
      << "Limit                     Soft Limit           Hard Limit           Units\n"
         "Max processes             11                   22                   processes\n"
         "Max open files            1024                 4096                 files\n";
  // A name that looks like fields; utime 300, stime 50, 12 threads, started after 6000 ticks.
  std::ofstream(proc + "/self/stat")
      << "42 (a) S 1 (b) R 1 42 42 0 -1 4194304 100 0 1 0 300 50 7 8 20 0 12 0 6000 "
         "123456789 2000 18446744073709551615 1 1\n";
  const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_EQ(Values(ProcessMetrics(proc)),
            (std::map<std::string, double>{
                {"process_cpu_seconds_total", 350 * tick},
                {"process_resident_memory_bytes", 2000.0 * static_cast<double>(getpagesize())},
                {"process_virtual_memory_bytes", 123456789},
                {"process_open_fds", 4},
                {"process_max_fds", 1024},
                {"process_start_time_seconds", 1700000000 + 6000 * tick},
                {"process_threads", 12}}));
  std::filesystem::remove_all(proc);
}

TEST(ProcessMetrics, NoFiles_NoValues) {
  EXPECT_THAT(ProcessMetrics("/does/not/exist").Collect(), ::testing::IsEmpty());
}

TEST(ProcessMetrics, ThisProcess_HasSensibleValues) {
  std::map<std::string, double> values = Values(ProcessMetrics());
  EXPECT_GT(values["process_resident_memory_bytes"], 1e6);
  EXPECT_GT(values["process_virtual_memory_bytes"], values["process_resident_memory_bytes"]);
  EXPECT_GE(values["process_threads"], 1);
  EXPECT_NEAR(values["process_start_time_seconds"],
              absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()), 600);
  const double open = values["process_open_fds"];
  const int fd = dup(STDERR_FILENO);
  EXPECT_EQ(Values(ProcessMetrics())["process_open_fds"], open + 1);
  close(fd);
}

}  // namespace
}  // namespace objectdino
