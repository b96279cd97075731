// SPDX-License-Identifier: Apache-2.0
// How many cores this process may use: what it is pinned to, and what its container allows.
//
// std::thread::hardware_concurrency knows the pinning only, so that a container with two cores of a
// large machine would start a thread for each of the machine's.
// Thread-safety: pure functions of the file system and the process.
#ifndef OBJECTDINO_SERVER_CORES_H_
#define OBJECTDINO_SERVER_CORES_H_

#include <optional>
#include <string>

namespace objectdino {

// Cores' worth of time that the cgroups of this process allow: the least of its own group's and of
// those around it, v2 (cpu.max) or v1 (cpu.cfs_quota_us). None without a quota. `root` is where
// proc and sys lie; another than "/" in tests.
std::optional<double> CgroupQuota(const std::string& root = "/");

// What `quota` leaves of `pinned` cores: rounded up, at least 1.
int CoresWithin(int pinned, std::optional<double> quota);

struct Cores {
  int pinned = 1;  // cores that the scheduler may put this process on
  std::optional<double> quota;
  int available = 1;
};
Cores AvailableCores();

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_CORES_H_
