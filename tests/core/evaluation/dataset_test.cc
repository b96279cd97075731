// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/dataset.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

auto IsInvalid(const ::testing::Matcher<std::string>& message) {
  return StatusIs(absl::StatusCode::kInvalidArgument, message);
}

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
  void CopyImage(const std::string& name, const std::string& folder = "images") const {
    fs::create_directories(root_ / folder);
    fs::copy_file(std::string(OBJECTDINO_SOURCE_DIR) + "/tests/data/png8.png",
                  root_ / folder / name, fs::copy_options::overwrite_existing);
  }
  absl::StatusOr<std::vector<Sample>> Load(const std::string& kind) {
    options_.spec = kind + ":" + root_.string();
    options_.images.clear();
    return LoadDataset(options_);
  }
  absl::StatusOr<std::vector<Sample>> LoadCoco(const std::string& document) {
    for (const char* name : {"a.png", "b.png", "empty.png"}) CopyImage(name);
    Write("c.json", document);
    options_.spec = "coco:" + (root_ / "c.json").string();
    options_.images = (root_ / "images").string();
    return LoadDataset(options_);
  }
  static std::vector<std::string> Names(const absl::StatusOr<std::vector<Sample>>& samples) {
    EXPECT_THAT(samples, IsOk());
    std::vector<std::string> names;
    if (!samples.ok()) return names;
    for (const Sample& sample : *samples) names.push_back(sample.name);
    return names;
  }

  fs::path root_;
  DatasetOptions options_;
};

constexpr char kVoc[] =
    "<annotation>\n<object><name>a</name><difficult>1</difficult>\n<bndbox><xmin>1</xmin>"
    "<ymin>3</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object>\n</annotation>";

TEST_F(DatasetTest, Voc_BoxesCountFromZeroAndAreHalfOpen) {
  CopyImage("b.png");
  Write("annotations/b.xml", kVoc);
  Write("annotations/without_image.xml", kVoc);
  const auto samples = Load("voc");
  ASSERT_THAT(samples, IsOk());
  ASSERT_THAT(*samples, SizeIs(1));
  ASSERT_THAT(samples->front().objects, SizeIs(1)) << "difficult objects count";
  EXPECT_EQ(samples->front().objects[0].box, (Box{0, 2, 10, 20}));
  EXPECT_EQ(samples->front().objects[0].label, "a");
  EXPECT_FALSE(samples->front().objects[0].mask.has_value());
}

TEST_F(DatasetTest, VocDevkit_SplitChoosesTheImages) {
  for (const char* name : {"a", "b", "c"}) {
    CopyImage(std::string(name) + ".png", "JPEGImages");
    Write(std::string("Annotations/") + name + ".xml", kVoc);
  }
  Write("ImageSets/Main/trainval.txt", "c\na\n\n");
  Write("ImageSets/Main/cat_trainval.txt", "a -1\nb  1\nc  0\n");
  Write("ImageSets/Main/wrong.txt", "a\nmissing\n");
  EXPECT_THAT(Names(Load("voc")), ElementsAre("a.png", "b.png", "c.png"));
  options_.split = "trainval";
  EXPECT_THAT(Names(Load("voc")), ElementsAre("a.png", "c.png"));
  options_.split = "cat_trainval";
  EXPECT_THAT(Names(Load("voc")), ElementsAre("b.png", "c.png"));
  options_.split = "wrong";
  EXPECT_THAT(Load("voc"), IsInvalid(AllOf(HasSubstr("wrong.txt:2"), HasSubstr("missing"))));
  options_.split = "none";
  EXPECT_THAT(Load("voc"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.txt")));
}

TEST_F(DatasetTest, Voc_MalformedAnnotationIsNamedWithItsLine) {
  CopyImage("a.png");
  const auto refused = [this](const std::string& xml, const std::string& where) {
    Write("annotations/a.xml", xml);
    EXPECT_THAT(Load("voc"), IsInvalid(HasSubstr("a.xml:" + where))) << xml;
  };
  refused(
      "<annotation>\n<object><bndbox><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>"
      "</annotation>",
      "2: an object without a box");
  refused(
      "<annotation>\n\n<object><bndbox><xmin>x</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax>"
      "</bndbox></object></annotation>",
      "3: an object without a box");
  refused(
      "<annotation><object><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax>"
      "</bndbox></object></annotation>",
      "1: a box without area");
  refused("<annotation>\n<object>\n", "");
}

TEST_F(DatasetTest, Yolo_BoxesScaleToTheImage) {
  CopyImage("a.png");  // 48 x 64 pixels (height x width)
  Write("boxes/a.txt", "3 0.5 0.5 0.5 1.0\n\n");
  const auto samples = Load("yolo");
  ASSERT_THAT(samples, IsOk());
  ASSERT_THAT(*samples, SizeIs(1));
  EXPECT_THAT(samples->front().Boxes(), ElementsAre(Box{16, 0, 48, 48}));
  EXPECT_EQ(samples->front().objects[0].label, "3");
}

TEST_F(DatasetTest, YoloSeg_PolygonsScaleAndBoundTheBox) {
  CopyImage("a.png");
  Write("labels/a.txt", "7 0.25 0.5 0.5 0.5 0.5 1.0\n");
  const auto samples = Load("yolo-seg");
  ASSERT_THAT(samples, IsOk());
  const TruthObject& object = samples->front().objects[0];
  EXPECT_EQ(object.box, (Box{16, 24, 32, 48}));
  ASSERT_TRUE(object.mask.has_value());
  ASSERT_THAT(object.mask->polygons, SizeIs(1));
  ASSERT_THAT(object.mask->polygons[0], SizeIs(3));
  EXPECT_EQ(object.mask->polygons[0][2].x, 32);
  EXPECT_EQ(object.mask->polygons[0][2].y, 48);
}

TEST_F(DatasetTest, Yolo_MalformedLineIsNamed) {
  CopyImage("a.png");
  for (const char* line : {"3 0.5 0.5", "3 0.5 0.5 0 1", "3 0.5 0.5 nan 1", "3 0.5 0.5 x 1"}) {
    Write("boxes/a.txt", std::string("1 0.5 0.5 1 1\n") + line + "\n");
    EXPECT_THAT(Load("yolo"), IsInvalid(HasSubstr("a.txt:2"))) << line;
  }
  Write("boxes/a.txt", "3 0.1 0.1 0.2 0.2 0.3 0.1\n");
  EXPECT_THAT(Load("yolo"), IsInvalid(AllOf(HasSubstr("a.txt:1"), HasSubstr("yolo-seg:"))));
  for (const char* line :
       {"3 0.1 0.1 0.2 0.2", "3 0.1 0.1 0.2 0.2 0.3", "3 0.1 0.1 0.2 0.1 0.3 0.1"}) {
    Write("polygons/a.txt", line);
    EXPECT_THAT(Load("yolo-seg"), IsInvalid(HasSubstr("a.txt:1"))) << line;
  }
}

constexpr char kCoco[] = R"({
  "images": [{"id": 9, "file_name": "b.png"}, {"id": 12, "file_name": "a.png"},
             {"id": 13, "file_name": "empty.png"}],
  "categories": [{"id": 18, "name": "dog"}],
  "annotations": [
    {"image_id": 12, "category_id": 18, "iscrowd": 0, "bbox": [1, 2, 3, 4],
     "segmentation": [[1, 2, 4, 2, 4, 6], [1, 2, 1, 6, 4, 6]]},
    {"image_id": 12, "category_id": 18, "iscrowd": 1, "bbox": [0, 0, 9, 9],
     "segmentation": {"counts": [1, 2], "size": [48, 64]}},
    {"image_id": 12, "category_id": 18, "bbox": [5, 5, 0, 4]},
    {"image_id": 9, "category_id": 77, "bbox": [0, 0, 9, 9],
     "segmentation": {"counts": "abc", "size": [48, 64]}},
    {"image_id": 9, "bbox": [0, 0, 9, 9], "segmentation": {"counts": [5, 6], "size": [48, 64]}}]})";

TEST_F(DatasetTest, Coco_BoxesLabelsAndMasks) {
  const auto samples = LoadCoco(kCoco);
  ASSERT_THAT(samples, IsOk());
  ASSERT_THAT(Names(samples), ElementsAre("a.png", "b.png"));
  const auto& first = samples->at(0).objects;
  ASSERT_THAT(first, SizeIs(1)) << "crowds and boxes without area are left out";
  EXPECT_EQ(first[0].box, (Box{1, 2, 4, 6}));
  EXPECT_EQ(first[0].label, "dog");
  ASSERT_TRUE(first[0].mask.has_value());
  EXPECT_THAT(first[0].mask->polygons, SizeIs(2));
  const auto& second = samples->at(1).objects;
  ASSERT_THAT(second, SizeIs(2));
  EXPECT_EQ(second[0].label, "77");
  EXPECT_EQ(second[0].mask->rle, "abc");
  EXPECT_THAT(second[1].mask->runs, ElementsAre(5, 6));
}

TEST_F(DatasetTest, Coco_WithoutMasksSkipsThem) {
  options_.masks = false;
  const auto samples = LoadCoco(kCoco);
  ASSERT_THAT(samples, IsOk());
  ASSERT_THAT(*samples, SizeIs(2));
  EXPECT_FALSE(samples->at(0).objects[0].mask.has_value());
}

TEST_F(DatasetTest, Coco_MalformedDocumentIsNamed) {
  EXPECT_THAT(LoadCoco("{\n\n\"images\": oops}"), IsInvalid(HasSubstr("c.json:3: is not JSON")));
  const auto refused = [this](const std::string& images, const std::string& annotations,
                              const std::string& where) {
    EXPECT_THAT(LoadCoco("{\"images\": [" + images + "], \"annotations\": [" + annotations + "]}"),
                IsInvalid(AllOf(HasSubstr("c.json"), HasSubstr(where))));
  };
  const std::string a = R"({"id": 1, "file_name": "a.png"})";
  refused(R"({"id": "x"})", "", "images[0]");
  refused(a, R"({"image_id": 1})", "annotations[0]");
  refused(a, R"({"image_id": 1, "bbox": [1, 2, 3]})", "annotations[0]: 'bbox'");
  refused(a, R"({"image_id": 2, "bbox": [1, 2, 3, 4]})", "annotations[0]: of an unknown image");
  refused(a, R"({"image_id": 1, "bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3]]})", "a polygon");
  EXPECT_THAT(LoadCoco("[]"), IsInvalid(HasSubstr("c.json")));
}

TEST_F(DatasetTest, Coco_ImageThatIsNotThere_IsNotFound) {
  EXPECT_THAT(LoadCoco(R"({"images": [{"id": 1, "file_name": "gone.png"}], "annotations": []})"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("gone.png")));
}

TEST_F(DatasetTest, ImageIds_ChooseByIdNameOrStem) {
  for (const char* list : {"12\n", "a.png\n", "a\r\n\n", "val2017/a.png"}) {
    Write("ids.txt", list);
    options_.image_ids = (root_ / "ids.txt").string();
    EXPECT_THAT(Names(LoadCoco(kCoco)), ElementsAre("a.png")) << list;
  }
  Write("ids.txt", "empty.png\n12\n");
  EXPECT_THAT(Names(LoadCoco(kCoco)), ElementsAre("a.png")) << "the other has no object";
  CopyImage("a.png");
  CopyImage("b.png");
  Write("boxes/a.txt", "3 0.5 0.5 0.5 1.0\n");
  Write("boxes/b.txt", "3 0.5 0.5 0.5 1.0\n");
  Write("ids.txt", "b\n");
  EXPECT_THAT(Names(Load("yolo")), ElementsAre("b.png"));
}

TEST_F(DatasetTest, ImageIds_UnknownOrTwice_AreNamedWithTheirLine) {
  options_.image_ids = (root_ / "ids.txt").string();
  Write("ids.txt", "12\n\n999\n");
  EXPECT_THAT(LoadCoco(kCoco), IsInvalid(HasSubstr("ids.txt:3: '999'")));
  Write("ids.txt", "12\n12\n");
  EXPECT_THAT(LoadCoco(kCoco), IsInvalid(HasSubstr("ids.txt:2")));
  Write("ids.txt", "\n");
  EXPECT_THAT(LoadCoco(kCoco), IsInvalid(HasSubstr("ids.txt")));
  fs::remove(root_ / "ids.txt");
  EXPECT_THAT(LoadCoco(kCoco), StatusIs(absl::StatusCode::kNotFound, HasSubstr("ids.txt")));
}

TEST_F(DatasetTest, MissingFolderAndOptionsThatDoNotFit_AreErrors) {
  EXPECT_THAT(Load("voc"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("annotations")));
  for (const char* spec : {"cifar:x", "voc", "x"}) {
    options_.spec = spec;
    EXPECT_THAT(LoadDataset(options_), IsInvalid(HasSubstr("voc:FOLDER"))) << spec;
  }
  options_.spec = "coco:x.json";
  EXPECT_THAT(LoadDataset(options_), IsInvalid(HasSubstr("folder of images")));
  options_.split = "trainval";
  EXPECT_THAT(Load("yolo"), IsInvalid(HasSubstr("splits")));
}

}  // namespace
}  // namespace objectdino
