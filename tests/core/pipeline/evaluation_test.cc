// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/evaluation/corloc.h"
#include "core/evaluation/dataset.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using ::objectdino::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest()
      : root_(fs::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "images");
  }
  ~DatasetTest() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  void CopyImage(const std::string& name) const {
    fs::copy_file(std::string(OBJECTDINO_SOURCE_DIR) + "/tests/data/png8.png",
                  root_ / "images" / name);
  }

  fs::path root_;
};

constexpr char kVoc[] =
    "<annotation><object><name>a</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>3</ymin>"
    "<xmax>10</xmax><ymax>20</ymax></bndbox></object></annotation>";

TEST_F(DatasetTest, VocBoxesCountFromZeroAndAreHalfOpen) {
  CopyImage("b.png");
  Write("annotations/b.xml", kVoc);
  Write("annotations/without_image.xml", kVoc);
  auto samples = LoadDataset("voc:" + root_.string());
  ASSERT_THAT(samples, testing::IsOk());
  ASSERT_THAT(*samples, SizeIs(1));
  EXPECT_THAT(samples->front().boxes, ElementsAre(Box{0, 2, 10, 20}));
}

TEST_F(DatasetTest, YoloBoxesScaleToTheImage) {
  CopyImage("a.png");  // 48 x 64 pixels (height x width)
  Write("boxes/a.txt", "3 0.5 0.5 0.5 1.0\n\n");
  auto samples = LoadDataset("yolo:" + root_.string());
  ASSERT_THAT(samples, testing::IsOk());
  ASSERT_THAT(*samples, SizeIs(1));
  EXPECT_THAT(samples->front().boxes, ElementsAre(Box{16, 0, 48, 48}));
}

TEST_F(DatasetTest, MalformedAnnotationIsNamed) {
  CopyImage("a.png");
  Write("boxes/a.txt", "3 0.5 0.5\n");
  EXPECT_THAT(LoadDataset("yolo:" + root_.string()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a.txt:1")));
  Write("annotations/a.xml",
        "<annotation><object><bndbox><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></"
        "annotation>");
  EXPECT_THAT(LoadDataset("voc:" + root_.string()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a.xml")));
  Write("annotations/a.xml", "<annotation><object>");
  EXPECT_THAT(LoadDataset("voc:" + root_.string()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a.xml")));
}

TEST_F(DatasetTest, MissingFolderAndUnknownKindAreErrors) {
  EXPECT_THAT(LoadDataset("voc:" + root_.string()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("annotations")));
  EXPECT_THAT(LoadDataset("coco:x"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("voc:FOLDER")));
}

TEST(CorLoc, CountsAtBothThresholds) {
  const CorLoc summary = SummarizeIous({0.5, 0.49, 0.7, 1.0});
  EXPECT_EQ(summary.n, 4);
  EXPECT_DOUBLE_EQ(summary.corloc, 75);
  EXPECT_DOUBLE_EQ(summary.iou70, 50);
  EXPECT_NEAR(summary.mean_iou, 0.6725, 1e-12);
  EXPECT_EQ(SummarizeIous({}).n, 0);
}

TEST(CorLoc, IouOfBoxes) {
  EXPECT_DOUBLE_EQ(BoxIou({0, 0, 2, 2}, {1, 0, 3, 2}), 1.0 / 3);
  EXPECT_EQ(BoxIou({0, 0, 1, 1}, {1, 0, 2, 1}), 0) << "half-open boxes that touch do not overlap";
}

}  // namespace
}  // namespace objectdino
