// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/answer_timing.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

namespace objectdino {
namespace {

using google::protobuf::util::MessageDifferencer;

v1::GroundResponse Response() {
  v1::GroundResponse response;
  response.mutable_image()->set_height(3);
  response.add_objects()->mutable_mask()->set_coco_rle("0123");
  response.mutable_objectness()->set_data(std::string(5000, 'x'));
  response.mutable_model()->set_name("model");
  response.mutable_timing()->set_backbone_ms(12.5F);
  response.mutable_timing()->set_masks_ms(0.25F);
  response.mutable_timing()->set_batch_size(4);
  response.add_warnings()->set_message("careful");
  response.set_request_id("id");
  return response;
}

// Cut into slices of `length` bytes, as the network may.
grpc::ByteBuffer Buffer(const std::string& bytes, size_t length = 1 << 20) {
  std::vector<grpc::Slice> slices;
  for (size_t i = 0; i < bytes.size(); i += length) {
    slices.emplace_back(bytes.substr(i, length));
  }
  return {slices.data(), slices.size()};
}

TEST(AnswerTimingTest, ReadTiming_WholeAnswerInSlicesOfAnyLength_ItsTiming) {
  const v1::GroundResponse response = Response();
  for (const size_t length : {1, 7, 4096, 1 << 20}) {
    grpc::ByteBuffer buffer = Buffer(response.SerializeAsString(), length);
    const auto timing = ReadTiming(buffer);
    ASSERT_TRUE(timing.has_value()) << length;
    EXPECT_TRUE(MessageDifferencer::Equals(*timing, response.timing()));
  }
}

TEST(AnswerTimingTest, ReadTiming_NoTiming_Nothing) {
  v1::GroundResponse response = Response();
  response.clear_timing();
  grpc::ByteBuffer buffer = Buffer(response.SerializeAsString());
  EXPECT_FALSE(ReadTiming(buffer).has_value());
  grpc::ByteBuffer empty;
  EXPECT_FALSE(ReadTiming(empty).has_value());
}

TEST(AnswerTimingTest, ReadTiming_CutShort_NothingOrTheTimingThatWasWhole) {
  const v1::GroundResponse response = Response();
  const std::string bytes = response.SerializeAsString();
  for (size_t length = 1; length < bytes.size(); ++length) {
    grpc::ByteBuffer buffer = Buffer(bytes.substr(0, length));
    const auto timing = ReadTiming(buffer);
    if (timing) {
      EXPECT_TRUE(MessageDifferencer::Equals(*timing, response.timing())) << length;
    }
  }
}

TEST(AnswerTimingTest, ReadStreamAnswer_Success_IdAndTiming) {
  v1::StreamGroundResponse item;
  item.set_request_id("17");
  *item.mutable_response() = Response();
  for (const size_t length : {1, 4096}) {
    grpc::ByteBuffer buffer = Buffer(item.SerializeAsString(), length);
    const auto answer = ReadStreamAnswer(buffer);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->request_id, "17");
    EXPECT_EQ(answer->code, 0);
    ASSERT_TRUE(answer->timing.has_value());
    EXPECT_TRUE(MessageDifferencer::Equals(*answer->timing, item.response().timing()));
  }
}

TEST(AnswerTimingTest, ReadStreamAnswer_Error_CodeAndMessage) {
  v1::StreamGroundResponse item;
  item.set_request_id("17");
  item.set_code(3);
  item.set_message("no image");
  grpc::ByteBuffer buffer = Buffer(item.SerializeAsString());
  const auto answer = ReadStreamAnswer(buffer);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->code, 3);
  EXPECT_EQ(answer->message, "no image");
  EXPECT_FALSE(answer->timing.has_value());
}

TEST(AnswerTimingTest, ReadStreamAnswer_Garbage_Nothing) {
  grpc::ByteBuffer buffer = Buffer("\xff\xff\xff\xff\xff\xff");
  EXPECT_FALSE(ReadStreamAnswer(buffer).has_value());
}

}  // namespace
}  // namespace objectdino
