// SPDX-License-Identifier: Apache-2.0
#include "server/port_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

TEST(PortFile, Written_HoldsBothAddressesAndLeavesNothingElse) {
  const std::filesystem::path folder = ::testing::TempDir() + "port_file_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  ASSERT_THAT(WritePortFile(folder / "ports", "127.0.0.1:1", "127.0.0.1:2"), testing::IsOk());
  std::stringstream text;
  text << std::ifstream(folder / "ports").rdbuf();
  EXPECT_EQ(text.str(), "grpc=127.0.0.1:1\nmetrics=127.0.0.1:2\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST(PortFile, NoFolder_IsOneClearError) {
  EXPECT_THAT(WritePortFile("/does/not/exist/ports", "a", "b"),
              testing::StatusIs(absl::StatusCode::kFailedPrecondition,
                                ::testing::HasSubstr("/does/not/exist/ports")));
}

}  // namespace
}  // namespace objectdino
