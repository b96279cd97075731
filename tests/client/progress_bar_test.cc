// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

namespace objectdino {
namespace {

using ::testing::HasSubstr;

TEST(ProgressBarTest, Show_Disabled_PrintsNothing) {
  std::ostringstream out;
  ProgressBar bar(out, 4, false);
  bar.Show(1, "a.jpg");
  bar.Clear();
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressBarTest, Show_HalfDone_HalfFilledWithCountAndLabel) {
  std::ostringstream out;
  ProgressBar(out, 4, true).Show(2, "a.jpg");
  EXPECT_THAT(out.str(), HasSubstr("[###############...............] 2/4 a.jpg"));
}

TEST(ProgressBarTest, Show_LongLabel_StaysBelow80Columns) {
  std::ostringstream out;
  ProgressBar(out, 9999, true).Show(9999, std::string(300, 'x'));
  EXPECT_LT(out.str().size(), 80U + 4);  // carriage return and escape sequence
}

}  // namespace
}  // namespace objectdino
