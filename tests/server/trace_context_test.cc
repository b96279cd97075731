// SPDX-License-Identifier: Apache-2.0
#include "server/trace_context.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kParentId[] = "00f067aa0ba902b7";

std::string Header(const std::string& version = "00", const std::string& trace_id = kTraceId,
                   const std::string& parent_id = kParentId, const std::string& flags = "01") {
  return absl::StrCat(version, "-", trace_id, "-", parent_id, "-", flags);
}

TEST(TraceParent, ExampleOfTheStandard_IsRead) {
  const auto context = ParseTraceParent(Header());
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id, kTraceId);
  EXPECT_EQ(context->parent_id, kParentId);
  EXPECT_TRUE(context->sampled);
}

TEST(TraceParent, Sampled_IsTheLowestBit) {
  for (int flags = 0; flags < 256; ++flags) {
    const auto context = ParseTraceParent(
        Header("00", kTraceId, kParentId, absl::StrCat(absl::Hex(flags, absl::kZeroPad2))));
    ASSERT_TRUE(context.has_value()) << flags;
    EXPECT_EQ(context->sampled, flags % 2 == 1) << flags;
  }
}

TEST(TraceParent, LaterVersions_AreReadAsFarAsKnown) {
  EXPECT_TRUE(ParseTraceParent(Header("01")).has_value());
  EXPECT_TRUE(ParseTraceParent(absl::StrCat(Header("fe"), "-what-the-future-brings")).has_value());
  EXPECT_FALSE(ParseTraceParent(absl::StrCat(Header("01"), "more")).has_value());
}

TEST(TraceParent, NotToTheLetter_IsIgnored) {
  const std::string cases[] = {"",
                               "00",
                               Header("ff"),
                               Header("0"),
                               Header("0g"),
                               absl::StrCat(Header("00"), "-more"),
                               absl::StrCat(Header("00"), " "),
                               absl::StrCat(" ", Header("00")),
                               Header("00", std::string(32, '0')),
                               Header("00", std::string(31, 'a')),
                               Header("00", std::string(33, 'a')),
                               Header("00", "4BF92F3577B34DA6A3CE929D0E0E4736"),
                               Header("00", kTraceId, std::string(16, '0')),
                               Header("00", kTraceId, std::string(15, 'a')),
                               Header("00", kTraceId, "00F067AA0BA902B7"),
                               Header("00", kTraceId, kParentId, "0"),
                               Header("00", kTraceId, kParentId, "0A"),
                               absl::StrCat("00_", kTraceId, "-", kParentId, "-01"),
                               absl::StrCat("00-", kTraceId, "_", kParentId, "-01"),
                               absl::StrCat("00-", kTraceId, "-", kParentId, "_01")};
  for (const std::string& text : cases) {
    EXPECT_FALSE(ParseTraceParent(text).has_value()) << "'" << text << "'";
  }
}

// Every neighbour of a valid text either is one, and gives back what is in it, or is ignored.
TEST(TraceParent, OneByteChanged_IsReadOnlyWhereItIsStillHex) {
  const std::string valid = Header();
  int read = 0;
  for (size_t at = 0; at < valid.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = valid;
      text[at] = static_cast<char>(byte);
      const bool digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
      const bool expected = valid[at] == '-' ? byte == '-' : digit;
      const auto context = ParseTraceParent(text);
      ASSERT_EQ(context.has_value(), expected) << at << " " << byte;
      if (!context.has_value()) continue;
      ++read;
      EXPECT_EQ(context->trace_id, text.substr(3, 32));
      EXPECT_EQ(context->parent_id, text.substr(36, 16));
    }
  }
  EXPECT_EQ(read, 52 * 16 + 3);
}

TEST(TraceContextOf, Metadata_NeedsExactlyOneHeader) {
  std::multimap<grpc::string_ref, grpc::string_ref> metadata;
  EXPECT_FALSE(TraceContextOf(metadata).has_value());
  const std::string header = Header();
  metadata.emplace("other", header);
  EXPECT_FALSE(TraceContextOf(metadata).has_value());
  metadata.emplace("traceparent", header);
  ASSERT_TRUE(TraceContextOf(metadata).has_value());
  EXPECT_EQ(TraceContextOf(metadata)->trace_id, kTraceId);
  metadata.emplace("traceparent", header);
  EXPECT_FALSE(TraceContextOf(metadata).has_value());
}

}  // namespace
}  // namespace objectdino
