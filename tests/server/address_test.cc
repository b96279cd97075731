// SPDX-License-Identifier: Apache-2.0
#include "server/address.h"

#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using testing::StatusIs;

TEST(Address, HostAndPort_ParseAndPrint) {
  for (const char* text : {"127.0.0.1:50051", "[::1]:0", "localhost:65535", "example.org:1"}) {
    const auto address = ParseAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(Address, Malformed_IsInvalid) {
  for (const char* text : {"", "localhost", ":1", "host:", "host:x", "host:-1", "host:65536",
                           "host:+1", "::1:50051", "[::1]", "[::1:5", "[]:1", "host: 1"}) {
    EXPECT_THAT(ParseAddress(text),
                StatusIs(absl::StatusCode::kInvalidArgument, ::testing::HasSubstr("HOST:PORT")))
        << text;
  }
}

TEST(Address, Loopback_IsThisMachineOnly) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"}) {
    EXPECT_TRUE(ParseAddress(text)->loopback()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.evil.example:1", "host:1"}) {
    EXPECT_FALSE(ParseAddress(text)->loopback()) << text;
  }
}

}  // namespace
}  // namespace objectdino
