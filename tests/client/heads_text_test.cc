// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heads_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/head_answers.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

TEST(HeadsTextTest, HeadsText_Clustered_TableSizesAndObjectHeads) {
  const auto text = HeadsText("a.png", testing::HeadResponse());
  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(*text,
            "a.png  12x10 png, object_dino, m, 2 layers, 3 heads a layer, 3 clusters\n"
            "  layer   0   1   2\n"
            "      0   1   0   1\n"
            "      1   2   0   0\n"
            "  sizes 0:3 1:2 2:1\n"
            "  object-centric 0.1 1.1 1.2\n");
}

TEST(HeadsTextTest, HeadsText_Preset_MarksInsteadOfClusters) {
  const auto text = HeadsText("a.png", testing::PresetHeadResponse());
  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(*text,
            "a.png  12x10 png, object_dino, m, 2 layers, 3 heads a layer, preset heads\n"
            "  layer   0   1   2\n"
            "      0   .   .   .\n"
            "      1   *   *   *\n"
            "  object-centric 1.0 1.1 1.2\n");
}

TEST(HeadsTextTest, HeadsText_Warning_CodeAndMessage) {
  v1::GroundResponse response = testing::HeadResponse();
  response.add_warnings()->set_code(v1::Warning::CODE_RANDOM_WEIGHTS);
  response.mutable_warnings(0)->set_message("not trained");
  EXPECT_THAT(*HeadsText("a.png", response), HasSubstr("  warning RANDOM_WEIGHTS: not trained\n"));
}

TEST(HeadsTextTest, HeadsText_NoAnalysis_InvalidArgument) {
  EXPECT_THAT(HeadsText("a.png", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no head analysis")));
}

}  // namespace
}  // namespace objectdino
