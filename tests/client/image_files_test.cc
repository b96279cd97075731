// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/image_files.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

class ImageFilesTest : public ::testing::Test {
 protected:
  ImageFilesTest() {
    folder_ = fs::path(::testing::TempDir()) /
              ("image_files_" +
               std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ImageFilesTest() override { fs::remove_all(folder_); }

  std::string Touch(const std::string& name, const std::string& bytes = "") {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return (folder_ / name).string();
  }

  fs::path folder_;
};

TEST_F(ImageFilesTest, ListImages_Folder_ItsImagesSortedWithoutSubfolders) {
  const std::string c = Touch("c.JPG");
  const std::string a = Touch("a.webp");
  const std::string b = Touch("b.png");
  Touch("notes.txt");
  fs::create_directories(folder_ / "sub.png");
  EXPECT_THAT(ListImages({folder_.string()}), ElementsAre(a, b, c));
}

TEST_F(ImageFilesTest, ListImages_FilesGiven_KeptInTheirOrderWhateverTheyAreCalled) {
  EXPECT_THAT(ListImages({"z.jpg", "a.dat"}), ElementsAre("z.jpg", "a.dat"));
}

TEST_F(ImageFilesTest, ReadImageFile_FolderWithoutImages_NotFound) {
  ASSERT_THAT(ListImages({folder_.string()}), ElementsAre(folder_.string()));
  EXPECT_THAT(ReadImageFile(folder_.string()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("a folder without")));
}

TEST_F(ImageFilesTest, ReadImageFile_BinaryAboveOneChunk_AllBytes) {
  std::string bytes(3'000'001, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  const auto read = ReadImageFile(Touch("x.bin", bytes));
  ASSERT_THAT(read, IsOk());
  EXPECT_TRUE(*read == bytes);
}

TEST_F(ImageFilesTest, ReadImageFile_Missing_NotFoundWithReason) {
  EXPECT_THAT(ReadImageFile((folder_ / "none.jpg").string()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("No such file")));
}

TEST_F(ImageFilesTest, OutputNames_DistinctStems_Stems) {
  EXPECT_THAT(OutputNames({"x/cat.jpg", "dog.v2.png"}), ElementsAre("cat", "dog.v2"));
}

TEST_F(ImageFilesTest, OutputNames_SameStem_FullNames) {
  EXPECT_THAT(OutputNames({"a.jpg", "b.jpg", "a.png"}), ElementsAre("a.jpg", "b", "a.png"));
}

TEST_F(ImageFilesTest, OutputNames_SameNameInTwoFolders_Numbered) {
  EXPECT_THAT(OutputNames({"x/a.jpg", "y/a.jpg", "z/a.jpg"}),
              ElementsAre("a.jpg", "a.jpg-2", "a.jpg-3"));
}

TEST_F(ImageFilesTest, OutputNames_StemLikeAnothersFullName_Apart) {
  EXPECT_THAT(OutputNames({"a.jpg", "a.png", "a.jpg.png"}),
              ElementsAre("a.jpg", "a.png", "a.jpg-2"));
}

TEST_F(ImageFilesTest, WriteFile_Folder_WritesAndLeavesNothingElse) {
  ASSERT_THAT(WriteFile(folder_ / "x", "abc"), IsOk());
  EXPECT_EQ(*ReadImageFile((folder_ / "x").string()), "abc");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(ImageFilesTest, WriteFile_NoSuchFolder_FailedPreconditionNamesThePath) {
  EXPECT_THAT(WriteFile(folder_ / "none" / "x", "abc"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("none/x cannot be written: No such")));
}

TEST_F(ImageFilesTest, DecodeGrounded_SizeOfTheAnswer_UprightPixels) {
  const std::string bytes =
      *ReadImageFile(OBJECTDINO_SOURCE_DIR "/tests/golden/exif/orientation_6.jpg");
  v1::ImageInfo info;
  info.set_height(24);
  info.set_width(40);
  const auto image = DecodeGrounded(bytes, info);
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->size(), (ImageSize{24, 40}));
  info.set_width(39);  // the server cannot have accepted this file
  EXPECT_THAT(GroundedSize(bytes, info),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("24 x 39")));
  EXPECT_THAT(DecodeGrounded(bytes, info),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("40")));
}

}  // namespace
}  // namespace objectdino
