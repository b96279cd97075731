// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/response_json.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "objectdino/v1/grounding_service.pb.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using testing::IsOk;

v1::GroundResponse Example() {
  v1::GroundResponse response;
  response.mutable_image()->set_height(3);
  response.set_method(v1::METHOD_OBJECT_DINO);
  v1::GroundedObject* object = response.add_objects();
  object->set_score(0.1F);
  object->mutable_normalized_box()->set_x2(0.5F);
  object->mutable_mask()->set_coco_rle("\x30\x31");
  return response;
}

TEST(ResponseJsonTest, FileEntry_Response_FileFirstThenFieldsWithProtoNames) {
  const auto entry = FileEntry("a.jpg", Example());
  ASSERT_THAT(entry, IsOk());
  EXPECT_EQ(entry->begin().key(), "file");
  EXPECT_EQ((*entry)["file"], "a.jpg");
  EXPECT_EQ((*entry)["method"], "METHOD_OBJECT_DINO");
  EXPECT_EQ((*entry)["objects"][0]["normalized_box"]["x2"], 0.5);
  EXPECT_EQ((*entry)["objects"][0]["mask"]["coco_rle"], "MDE=");
}

TEST(ResponseJsonTest, FileEntry_ZeroesAndNoObjects_PresentAllTheSame) {
  v1::GroundResponse response;
  response.mutable_image();
  const auto entry = FileEntry("a.jpg", response);
  ASSERT_THAT(entry, IsOk());
  EXPECT_EQ((*entry)["image"]["height"], 0);
  EXPECT_TRUE((*entry)["objects"].is_array());
}

TEST(ResponseJsonTest, JsonText_WithoutFile_ParsesBackToTheSameMessage) {
  auto entry = FileEntry("a.jpg", Example());
  ASSERT_THAT(entry, IsOk());
  entry->erase("file");
  v1::GroundResponse parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(JsonText(*entry), &parsed).ok());
  EXPECT_EQ(parsed.SerializeAsString(), Example().SerializeAsString());
}

TEST(ResponseJsonTest, ErrorEntry_Status_CodeNameAndMessage) {
  const auto entry = ErrorEntry("bad.jpg", absl::InvalidArgumentError("no image"));
  EXPECT_EQ(entry.dump(),
            R"({"file":"bad.jpg","error":{"code":"INVALID_ARGUMENT","message":"no image"}})");
}

TEST(ResponseJsonTest, JsonText_FileNameNotUtf8_StaysValidJson) {
  const std::string text = JsonText(ErrorEntry("\xff.jpg", absl::NotFoundError("")));
  EXPECT_TRUE(nlohmann::json::accept(text)) << text;
}

}  // namespace
}  // namespace objectdino
