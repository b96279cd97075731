// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/journal.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "core/base/read_file.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using ::objectdino::testing::IsOk;
using ::objectdino::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  JournalTest()
      : path_(::testing::TempDir() +
              ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl"),
        samples_(2) {
    fs::remove(path_);
    samples_[0].name = "a.jpg";
    samples_[0].objects = {{{0, 0, 10, 10}, "cat", std::nullopt}};
    samples_[1].name = "b.jpg";
    samples_[1].objects = {{{5, 0, 10, 10}, "dog", std::nullopt}};
  }
  ~JournalTest() override { fs::remove(path_); }

  auto Open() const { return Journal::Open(path_, key_, samples_); }
  void AppendBoth() const {
    auto journal = Open();
    ASSERT_THAT(journal, IsOk());
    for (const Sample& sample : samples_) {
      ASSERT_THAT((*journal)->Append("cut", sample, record_), IsOk());
    }
  }
  void Write(const std::string& text) const { std::ofstream(path_, std::ios::app) << text; }

  static ImageRecord Record() {
    ImageRecord record;
    record.image = {30, 40};
    record.boxes = {{0.1F, 1.0F / 3, 7, 9}, {1, 2, 3, 4}};
    record.masks = {{0.1, 1.0 / 3}, {0.2, 0.3}, {0.4, 0.5}, 1};
    record.verify = {{0.7}, {-0.1, 2.0 / 3}};
    return record;
  }

  const std::string path_;
  std::vector<Sample> samples_;
  JournalKey key_{"corloc", "abc", {{"cut", "tau=0.6"}}};
  const ImageRecord record_ = Record();
};

TEST_F(JournalTest, RecordsComeBackUnchanged) {
  AppendBoth();
  const auto journal = Open();
  ASSERT_THAT(journal, IsOk());
  const ImageRecord* found = (*journal)->Find("cut", "b.jpg");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->image, record_.image);
  EXPECT_EQ(found->boxes, record_.boxes);
  EXPECT_EQ(found->masks.best, record_.masks.best);
  EXPECT_EQ(found->masks.whole, record_.masks.whole);
  EXPECT_EQ(found->masks.centre, record_.masks.centre);
  EXPECT_EQ(found->masks.largest, record_.masks.largest);
  EXPECT_EQ(found->verify.true_scores, record_.verify.true_scores);
  EXPECT_EQ(found->verify.moved_scores, record_.verify.moved_scores);
  EXPECT_EQ((*journal)->Find("cut", "c.jpg"), nullptr);
  EXPECT_EQ((*journal)->Find("paper", "b.jpg"), nullptr);
}

TEST_F(JournalTest, TornLastLine_IsDroppedAndWrittenAgain) {
  AppendBoth();
  const std::string whole = *ReadFile(path_);
  const size_t first = whole.find('\n') + 1;
  for (const size_t kept : {first + 1, whole.size() / 2 + first / 2, whole.size() - 1}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << whole.substr(0, kept);
    const auto journal = Open();
    ASSERT_THAT(journal, IsOk()) << kept;
    EXPECT_NE((*journal)->Find("cut", "a.jpg"), nullptr);
    EXPECT_EQ((*journal)->Find("cut", "b.jpg"), nullptr);
    ASSERT_THAT((*journal)->Append("cut", samples_[1], record_), IsOk());
    EXPECT_EQ(*ReadFile(path_), whole);
  }
}

TEST_F(JournalTest, MalformedLine_IsNamed) {
  AppendBoth();
  Write("{\"file\": 3}\n");
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kInvalidArgument,
                               AllOf(HasSubstr(path_ + ":3"), HasSubstr("not a line"))));
}

TEST_F(JournalTest, AnotherRun_IsRefused) {
  AppendBoth();
  const auto refused = [this](const JournalKey& key, const std::string& word) {
    EXPECT_THAT(Journal::Open(path_, key, samples_),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(path_ + ":1"), HasSubstr(word))));
  };
  refused({"masks", "abc", key_.methods}, "command 'corloc'");
  refused({"corloc", "xyz", key_.methods}, "model 'abc'");
  refused({"corloc", "abc", {{"cut", "tau=0.5"}}}, "options 'tau=0.6'");
  samples_[0].objects[0].box.x2 = 11;
  refused(key_, "ground truth");
}

TEST_F(JournalTest, OtherMethodsAndImages_AreLeftAlone) {
  AppendBoth();
  key_.methods = {{"paper", "tau=-0.35"}};
  samples_.resize(1);
  const auto journal = Open();
  ASSERT_THAT(journal, IsOk());
  EXPECT_EQ((*journal)->Find("paper", "a.jpg"), nullptr);
  ASSERT_THAT((*journal)->Append("paper", samples_[0], record_), IsOk());
  const std::string text = *ReadFile(path_);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(JournalTest, FolderThatIsNotThere_CannotBeWritten) {
  EXPECT_THAT(Journal::Open(path_ + ".missing/a.jsonl", key_, samples_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cannot be written")));
}

TEST(TruthFingerprint, ChangesWithBoxLabelAndMask) {
  Sample sample;
  sample.objects = {{{0, 0, 10, 10}, "cat", std::nullopt}};
  const std::string print = TruthFingerprint(sample);
  EXPECT_EQ(TruthFingerprint(sample), print);
  Sample relabelled = sample;
  relabelled.objects[0].label = "dog";
  EXPECT_NE(TruthFingerprint(relabelled), print);
  Sample masked = sample;
  masked.objects[0].mask.emplace().polygons = {{{0, 0}, {1, 0}, {1, 1}}};
  EXPECT_NE(TruthFingerprint(masked), print);
}

}  // namespace
}  // namespace objectdino
