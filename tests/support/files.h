// SPDX-License-Identifier: Apache-2.0
// Files of the repository, for tests.
#ifndef OBJECTDINO_TESTS_SUPPORT_FILES_H_
#define OBJECTDINO_TESTS_SUPPORT_FILES_H_

#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace objectdino::testing {

// All bytes of a file, path relative to the root; a test failure and no bytes where there is none.
inline std::string ReadRepositoryFile(const std::string& path) {
  std::ifstream file(OBJECTDINO_SOURCE_DIR "/" + path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path << " cannot be read";
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_SUPPORT_FILES_H_
