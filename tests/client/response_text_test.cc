// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/response_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace objectdino {
namespace {

using ::testing::HasSubstr;

v1::GroundResponse Example() {
  v1::GroundResponse response;
  response.mutable_image()->set_height(480);
  response.mutable_image()->set_width(640);
  response.mutable_image()->set_format("jpeg");
  response.set_method(v1::METHOD_OBJECT_DINO_CUT);
  response.mutable_model()->set_name("m");
  response.mutable_timing()->set_decode_ms(1.5F);
  response.mutable_timing()->set_backbone_ms(2.0F);
  return response;
}

TEST(ResponseTextTest, GroundingText_Header_FileWidthByHeightMethod) {
  EXPECT_THAT(GroundingText("a.jpg", Example()),
              HasSubstr("a.jpg  640x480 jpeg, object_dino_cut, m"));
}

TEST(ResponseTextTest, GroundingText_Object_NumberFromOneScoreBoxArea) {
  v1::GroundResponse response = Example();
  v1::GroundedObject* object = response.add_objects();
  object->set_score(0.875F);
  object->set_area_fraction(0.25F);
  object->mutable_box()->set_x1(10);
  object->mutable_box()->set_y1(20);
  object->mutable_box()->set_x2(30);
  object->mutable_box()->set_y2(40.5F);
  EXPECT_THAT(GroundingText("a.jpg", response),
              HasSubstr("    1   0.88      10.0     20.0     30.0     40.5   25.0%\n"));
}

TEST(ResponseTextTest, GroundingText_NoObjects_SaysSo) {
  EXPECT_THAT(GroundingText("a.jpg", Example()), HasSubstr("\n  no objects\n"));
}

TEST(ResponseTextTest, GroundingText_Timings_SumAndStages) {
  EXPECT_THAT(GroundingText("a.jpg", Example()), HasSubstr("time 3.5 ms: decode 1.5, "));
  v1::GroundResponse response = Example();
  response.mutable_timing()->set_masks_ms(4.0F);
  EXPECT_THAT(GroundingText("a.jpg", response), HasSubstr("time 7.5 ms: "));
  EXPECT_THAT(GroundingText("a.jpg", response), HasSubstr(" masks 4.0, "));
}

TEST(ResponseTextTest, GroundingText_Warning_CodeAndMessage) {
  v1::GroundResponse response = Example();
  v1::Warning* warning = response.add_warnings();
  warning->set_code(v1::Warning::CODE_RANDOM_WEIGHTS);
  warning->set_message("not trained");
  EXPECT_THAT(GroundingText("a.jpg", response),
              HasSubstr("  warning RANDOM_WEIGHTS: not trained\n"));
}

TEST(ResponseTextTest, VerificationText_Region_ScoreReadingsAndBestObject) {
  v1::VerifyRegionsResponse response;
  *response.mutable_grounding() = Example();
  v1::RegionScore* score = response.add_scores();
  score->set_score(0.875F);
  score->set_objectness_inside(0.5F);
  score->set_objectness_around(0.25F);
  score->set_coverage(0.75F);
  score->mutable_box()->set_x2(30);
  score->mutable_box()->set_y2(40.5F);
  score->mutable_best_object()->set_index(2);
  score->mutable_best_object()->set_iou(0.5F);
  response.add_scores()->mutable_box()->set_x2(1);
  const std::string text = VerificationText("a.jpg", response);
  EXPECT_THAT(text, HasSubstr("a.jpg  640x480 jpeg, object_dino_cut, m"));
  EXPECT_THAT(text,
              HasSubstr("    1   0.88    0.50   0.25    75.0%       3  0.50       0.0      0.0"
                        "     30.0     40.5\n"));
  EXPECT_THAT(text,
              HasSubstr("    2   0.00    0.00   0.00     0.0%       -     -       0.0      0.0"
                        "      1.0      0.0\n"));
  EXPECT_THAT(text, HasSubstr("time 3.5 ms"));
}

TEST(ResponseTextTest, ModelInfoText_RandomWeights_SaysSo) {
  v1::GetModelInfoResponse info;
  info.set_random_weights(true);
  EXPECT_THAT(ModelInfoText(info), HasSubstr("random weights"));
}

}  // namespace
}  // namespace objectdino
