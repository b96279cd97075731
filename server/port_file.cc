// SPDX-License-Identifier: Apache-2.0
#include "server/port_file.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace objectdino {

absl::Status WritePortFile(const std::string& path, const std::string& grpc_address,
                           const std::string& metrics_address) {
  const std::string unfinished = absl::StrCat(path, ".", getpid());
  std::error_code error;
  {
    std::ofstream file(unfinished);
    file << "grpc=" << grpc_address << "\nmetrics=" << metrics_address << "\n";
    file.close();
    if (!file) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) std::filesystem::rename(unfinished, path, error);
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  std::filesystem::remove(unfinished, ignored);
  return absl::FailedPreconditionError(
      absl::StrCat("cannot write the port file ", path, ": ", error.message()));
}

}  // namespace objectdino
