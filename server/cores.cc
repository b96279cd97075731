// SPDX-License-Identifier: Apache-2.0
#include "server/cores.h"

#include <algorithm>
#include <cmath>
#include <sched.h>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include "core/base/read_file.h"

namespace objectdino {
namespace {

// The path of this process in the hierarchy of `controller` ("" = v2), from lines such as
// "0::/user/a" and "4:cpu,cpuacct:/user/a".
std::optional<std::string> GroupOf(absl::string_view cgroups, absl::string_view controller) {
  for (const absl::string_view line : absl::StrSplit(cgroups, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    for (const absl::string_view name : absl::StrSplit(parts[1], ',')) {
      if (name == controller) return std::string(parts[2]);
    }
  }
  return std::nullopt;
}

std::optional<double> ReadNumber(absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(text), &value)) return std::nullopt;
  return value;
}

std::optional<double> Share(std::optional<double> time, std::optional<double> period) {
  if (!time.has_value() || !period.has_value() || !(*time > 0) || !(*period > 0)) {
    return std::nullopt;
  }
  return *time / *period;
}

// cpu.max is "max 100000" or "150000 100000".
std::optional<double> QuotaV2(const std::string& folder) {
  const auto text = ReadFile(absl::StrCat(folder, "/cpu.max"));
  if (!text.ok()) return std::nullopt;
  const std::vector<absl::string_view> words =
      absl::StrSplit(*text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  return words.size() == 2 ? Share(ReadNumber(words[0]), ReadNumber(words[1])) : std::nullopt;
}

// A quota of -1 is none.
std::optional<double> QuotaV1(const std::string& folder) {
  const auto quota = ReadFile(absl::StrCat(folder, "/cpu.cfs_quota_us"));
  const auto period = ReadFile(absl::StrCat(folder, "/cpu.cfs_period_us"));
  if (!quota.ok() || !period.ok()) return std::nullopt;
  return Share(ReadNumber(*quota), ReadNumber(*period));
}

// The least quota of `group` and its ancestors. A container sees its own group as the root of
// `mount`, whatever path it is told; groups that are not there count for nothing.
template <typename Quota>
std::optional<double> LeastQuota(const std::string& mount, std::string group, Quota quota) {
  std::optional<double> least = quota(mount);
  while (group.size() > 1) {
    const std::optional<double> here = quota(absl::StrCat(mount, group));
    if (here.has_value()) least = std::min(*here, least.value_or(*here));
    group.resize(std::min(group.rfind('/'), group.size() - 1));
  }
  return least;
}

int PinnedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  // More cores than the set has bits.
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

std::optional<double> CgroupQuota(const std::string& root) {
  const auto cgroups = ReadFile(absl::StrCat(root, "/proc/self/cgroup"));
  if (!cgroups.ok()) return std::nullopt;
  const std::string mount = absl::StrCat(root, "/sys/fs/cgroup");
  std::optional<double> least;
  if (const auto group = GroupOf(*cgroups, "")) least = LeastQuota(mount, *group, QuotaV2);
  if (const auto group = GroupOf(*cgroups, "cpu")) {
    const auto v1 = LeastQuota(absl::StrCat(mount, "/cpu"), *group, QuotaV1);
    if (v1.has_value()) least = std::min(*v1, least.value_or(*v1));
  }
  return least;
}

int CoresWithin(int pinned, std::optional<double> quota) {
  if (!quota.has_value() || !(*quota < pinned)) return std::max(1, pinned);
  return std::max(1, static_cast<int>(std::ceil(*quota)));
}

Cores AvailableCores() {
  Cores cores;
  cores.pinned = PinnedCores();
  cores.quota = CgroupQuota();
  cores.available = CoresWithin(cores.pinned, cores.quota);
  return cores;
}

}  // namespace objectdino
