// SPDX-License-Identifier: Apache-2.0
#include "server/file_watch.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    Write("a", "one");
  }
  ~FileWatchTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }
  // A second later, as far as the watch knows.
  bool Changed(FileWatch& watch) { return watch.Changed(now_ += FileWatch::kInterval); }

  const fs::path folder_ =
      fs::path(::testing::TempDir()) /
      absl::StrCat("file_watch_", ::testing::UnitTest::GetInstance()->current_test_info()->name());
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(FileWatchTest, Untouched_IsNotChanged) {
  FileWatch watch({Path("a")}, now_);
  EXPECT_FALSE(Changed(watch));
  EXPECT_FALSE(Changed(watch));
}

TEST_F(FileWatchTest, Rewritten_IsChangedOnce) {
  FileWatch watch({Path("a")}, now_);
  Write("a", "another");
  EXPECT_TRUE(Changed(watch));
  EXPECT_FALSE(Changed(watch));
}

TEST_F(FileWatchTest, SameSize_IsChangedByItsTime) {
  FileWatch watch({Path("a")}, now_);
  Write("a", "two");
  fs::last_write_time(Path("a"), fs::last_write_time(Path("a")) + std::chrono::nanoseconds(1));
  EXPECT_TRUE(Changed(watch));
}

TEST_F(FileWatchTest, AnyOfTheFiles_Counts) {
  Write("b", "one");
  FileWatch watch({Path("a"), Path("b")}, now_);
  Write("b", "three");
  EXPECT_TRUE(Changed(watch));
}

TEST_F(FileWatchTest, GoneAndBack_IsChangedTwice) {
  FileWatch watch({Path("a")}, now_);
  fs::remove(Path("a"));
  EXPECT_TRUE(Changed(watch));
  EXPECT_FALSE(Changed(watch));
  Write("a", "one");
  EXPECT_TRUE(Changed(watch));
}

TEST_F(FileWatchTest, LinkTurnedToAnotherFile_IsChanged) {
  Write("b", "one");
  fs::create_symlink(Path("a"), Path("link"));
  FileWatch watch({Path("link")}, now_);
  fs::create_symlink(Path("b"), Path("new"));
  fs::rename(Path("new"), Path("link"));
  EXPECT_TRUE(Changed(watch));
}

TEST_F(FileWatchTest, WithinTheInterval_NobodyLooks) {
  FileWatch watch({Path("a")}, now_);
  Write("a", "another");
  EXPECT_FALSE(watch.Changed(now_ + FileWatch::kInterval - absl::Nanoseconds(1)));
  EXPECT_TRUE(watch.Changed(now_ + FileWatch::kInterval));
}

TEST_F(FileWatchTest, ReadableByAll_IsTheLastOfTheModes) {
  chmod(Path("a").c_str(), 0640);
  EXPECT_FALSE(ReadableByAll(Path("a")));
  chmod(Path("a").c_str(), 0644);
  EXPECT_TRUE(ReadableByAll(Path("a")));
  EXPECT_FALSE(ReadableByAll(Path("none")));
}

}  // namespace
}  // namespace objectdino
