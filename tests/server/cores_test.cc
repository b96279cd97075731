// SPDX-License-Identifier: Apache-2.0
#include "server/cores.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

// A folder with the files of a made-up machine; gone with the test.
class FakeRoot {
 public:
  explicit FakeRoot(const std::map<std::string, std::string>& files)
      : path_(absl::StrCat(::testing::TempDir(), "cores_",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(path_);
    for (const auto& [name, text] : files) {
      const std::filesystem::path file = absl::StrCat(path_, "/", name);
      std::filesystem::create_directories(file.parent_path());
      std::ofstream(file) << text;
    }
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

std::optional<double> QuotaWith(const std::map<std::string, std::string>& files) {
  return CgroupQuota(FakeRoot(files).path());
}

TEST(CgroupQuota, V2_IsTimePerPeriod) {
  EXPECT_EQ(
      QuotaWith({{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"}}),
      1.5);
}

TEST(CgroupQuota, V2_ContainerSeesItsGroupAsTheRoot) {
  EXPECT_EQ(
      QuotaWith({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "50000 100000\n"}}),
      0.5);
}

TEST(CgroupQuota, V2_LeastOfAllAncestorsCounts) {
  EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "0::/a/b/c\n"},
                       {"sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n"},
                       {"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
                       {"sys/fs/cgroup/a/cpu.max", "300000 100000\n"}}),
            3);
  EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "0::/a/b\n"},
                       {"sys/fs/cgroup/a/b/cpu.max", "200000 100000\n"},
                       {"sys/fs/cgroup/a/cpu.max", "300000 100000\n"}}),
            2);
}

TEST(CgroupQuota, V2_MaxIsNone) {
  EXPECT_EQ(
      QuotaWith({{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", "max 100000\n"}}),
      std::nullopt);
}

TEST(CgroupQuota, V1_IsTimePerPeriod) {
  EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/docker/x\n0::/\n"},
                       {"sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "250000\n"},
                       {"sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000\n"}}),
            2.5);
}

TEST(CgroupQuota, V1_PathOutsideOfTheContainerIsTheMount) {
  EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "4:cpu:/kubepods/pod1\n"},
                       {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"},
                       {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n"}}),
            2);
}

TEST(CgroupQuota, V1_MinusOneIsNone) {
  EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "4:cpu:/\n"},
                       {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
                       {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}),
            std::nullopt);
}

TEST(CgroupQuota, CpusetAlone_IsNoQuota) {
  EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "4:cpuset:/\n"},
                       {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"},
                       {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}),
            std::nullopt);
}

TEST(CgroupQuota, Nonsense_IsNone) {
  for (const char* text : {"", "\n", "1", "1 2 3", "a b", "100000 0", "0 100000", "-5 100000",
                           "nan 100000", "100000 nan"}) {
    EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", text}}),
              std::nullopt)
        << text;
  }
  EXPECT_EQ(QuotaWith({{"proc/self/cgroup", "what\n:\n0:/a\n"}}), std::nullopt);
  EXPECT_EQ(QuotaWith({}), std::nullopt);
}

TEST(CoresWithin, Quota_IsRoundedUpAndNeverAboveThePinning) {
  EXPECT_EQ(CoresWithin(8, std::nullopt), 8);
  EXPECT_EQ(CoresWithin(8, 2.0), 2);
  EXPECT_EQ(CoresWithin(8, 1.5), 2);
  EXPECT_EQ(CoresWithin(8, 0.1), 1);
  EXPECT_EQ(CoresWithin(2, 16.0), 2);
  EXPECT_EQ(CoresWithin(2, 1e300), 2);
}

TEST(AvailableCores, ThisMachine_HasAtLeastOne) {
  const Cores cores = AvailableCores();
  EXPECT_GE(cores.available, 1);
  EXPECT_LE(cores.available, cores.pinned);
  EXPECT_LE(cores.pinned, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace objectdino
