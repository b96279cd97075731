// SPDX-License-Identifier: Apache-2.0
#include "core/base/read_file.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::StatusIs;
using ::testing::HasSubstr;

std::string Written(const std::string& name, const std::string& bytes) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(ReadFile, AllBytes_WhateverTheyAre) {
  std::string bytes(3'000'001, 'x');  // more than one read, not a multiple of it
  bytes[0] = '\0';
  bytes[1'500'000] = '\n';
  const auto read = ReadFile(Written("read_file_all", bytes));
  ASSERT_THAT(read, testing::IsOk());
  EXPECT_TRUE(*read == bytes);
  EXPECT_EQ(*ReadFile(Written("read_file_empty", "")), "");
}

TEST(ReadFile, MissingFileAndFolder_AreNotFound) {
  EXPECT_THAT(ReadFile(::testing::TempDir() + "read_file_missing"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("No such file")));
  EXPECT_THAT(ReadFile(::testing::TempDir()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("cannot be read")));
}

TEST(ReadFile, AboveTheLimit_IsInvalid) {
  const std::string path = Written("read_file_large", "12345");
  EXPECT_EQ(*ReadFile(path, 5), "12345");
  EXPECT_THAT(ReadFile(path, 4),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("larger than 4 bytes")));
}

}  // namespace
}  // namespace objectdino
