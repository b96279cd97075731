// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

namespace objectdino {
namespace {

using ::testing::UnorderedElementsAre;

std::string Bytes(const PlannedRequest& request) {
  std::string bytes;
  for (const grpc::Slice& slice : request.message) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

v1::GroundRequest Parse(const PlannedRequest& request) {
  v1::GroundRequest parsed;
  EXPECT_TRUE(parsed.ParseFromString(Bytes(request)));
  return parsed;
}

TEST(WorkloadTest, Next_AnyImageSize_SerializedAsProtobufDoes) {
  for (const size_t size : {0, 1, 120, 127, 128, 16'000, 16'384, 3'000'000}) {
    LoadOptions options;
    options.ground.set_method(v1::METHOD_LOST);
    Workload workload({std::string(size, 'x')}, options);
    v1::GroundRequest expected;
    expected.mutable_image()->set_encoded(std::string(size, 'x'));
    expected.mutable_options()->set_method(v1::METHOD_LOST);
    const PlannedRequest request = workload.Next();
    EXPECT_EQ(Bytes(request), expected.SerializeAsString()) << size;
    EXPECT_EQ(request.bytes(), expected.ByteSizeLong());
  }
}

TEST(WorkloadTest, Next_Passes_EveryImageOnceInEachAndInAnotherOrder) {
  std::vector<std::string> images;
  for (int i = 0; i < 30; ++i) images.push_back("image " + std::to_string(i));
  Workload workload(images, LoadOptions());
  EXPECT_EQ(workload.images(), 30U);
  std::set<std::vector<std::string>> orders;
  for (int pass = 0; pass < 4; ++pass) {
    std::vector<std::string> order;
    for (int i = 0; i < 30; ++i) order.push_back(Parse(workload.Next()).image().encoded());
    EXPECT_THAT(order, ::testing::UnorderedElementsAreArray(images));
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 4U);
}

TEST(WorkloadTest, Next_SameSeed_SameRequests) {
  LoadOptions options;
  options.sizes = {112, 224, 448};
  options.deadline_ms = {1, 50};
  options.cancel_share = 0.3;
  options.bad_share = 0.2;
  const auto draw = [&](uint32_t seed) {
    options.seed = seed;
    Workload workload({"a", "b", "c"}, options);
    std::string all;
    for (int i = 0; i < 50; ++i) {
      const PlannedRequest request = workload.Next();
      all += Bytes(request) + absl::FormatDuration(request.deadline) +
             absl::FormatDuration(request.cancel_after.value_or(absl::Hours(1)));
    }
    return all;
  };
  EXPECT_EQ(draw(5), draw(5));
  EXPECT_NE(draw(5), draw(6));
}

TEST(WorkloadTest, Next_Sizes_EachAboutAsOften) {
  LoadOptions options;
  options.sizes = {112, 224, 448};
  Workload workload({"a"}, options);
  std::map<uint32_t, int> counts;
  for (int i = 0; i < 3000; ++i) ++counts[Parse(workload.Next()).options().input_size()];
  ASSERT_EQ(counts.size(), 3U);
  for (const uint32_t size : options.sizes) EXPECT_NEAR(counts[size], 1000, 120) << size;
}

TEST(WorkloadTest, Next_Shares_OfBadInputAndCancellationsAsAsked) {
  LoadOptions options;
  options.bad_share = 0.2;
  options.cancel_share = 0.5;
  options.cancel_after_ms = {10, 20};
  options.deadline_ms = {100, 200};
  Workload workload({"a"}, options);
  constexpr int kCount = 10'000;
  int bad = 0, cancelled = 0;
  for (int i = 0; i < kCount; ++i) {
    const PlannedRequest request = workload.Next();
    EXPECT_GE(request.deadline, absl::Milliseconds(100));
    EXPECT_LT(request.deadline, absl::Milliseconds(200));
    if (request.bad_input) {
      ++bad;
      EXPECT_FALSE(request.cancel_after.has_value());
    }
    if (request.cancel_after) {
      ++cancelled;
      EXPECT_GE(*request.cancel_after, absl::Milliseconds(10));
      EXPECT_LT(*request.cancel_after, absl::Milliseconds(20));
    }
  }
  EXPECT_NEAR(bad, 0.2 * kCount, 150);
  EXPECT_NEAR(cancelled, 0.5 * 0.8 * kCount, 200);
}

TEST(WorkloadTest, Next_BadInput_TruncatedNoImageOrBadOption) {
  LoadOptions options;
  options.bad_share = 1;
  options.ground.set_method(v1::METHOD_LOST);
  Workload workload({"0123456789"}, options);
  std::set<std::string> kinds;
  for (int i = 0; i < 100; ++i) {
    const v1::GroundRequest request = Parse(workload.Next());
    EXPECT_EQ(request.options().method(), v1::METHOD_LOST);
    kinds.insert(request.image().encoded() +
                 (request.options().has_max_objects() ? " with bad option" : ""));
    if (request.options().has_max_objects()) {
      EXPECT_GT(request.options().max_objects(), 100U);
    }
  }
  EXPECT_THAT(kinds,
              UnorderedElementsAre("01234", "This is no image.", "0123456789 with bad option"));
}

TEST(WorkloadTest, Next_RequestOutlivesTheWorkload_ItsBytesToo) {
  PlannedRequest request;
  {
    Workload workload({std::string(100'000, 'y')}, LoadOptions());
    request = workload.Next();
  }
  EXPECT_EQ(Parse(request).image().encoded(), std::string(100'000, 'y'));
}

}  // namespace
}  // namespace objectdino
