// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/run.h"

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::objectdino::testing::StatusIs;
using ::testing::HasSubstr;

std::vector<Sample> NamedSamples(int n) {
  std::vector<Sample> samples(n);
  for (int i = 0; i < n; ++i) samples[i].name = std::to_string(i);
  return samples;
}

absl::StatusOr<ImageRecord> HeightIsTheName(const Sample& sample) {
  ImageRecord record;
  record.image.height = std::stoi(sample.name);
  return record;
}

TEST(MeasureSamples, EveryNumberOnce_WithItsRecord) {
  const auto samples = NamedSamples(50);
  std::vector<size_t> todo;
  for (size_t i = 0; i < 50; i += 2) todo.push_back(i);
  std::set<size_t> seen;  // unguarded on purpose: calls of `done` come one at a time
  RunOptions options;
  options.lanes = 4;
  EXPECT_THAT(MeasureSamples(samples, todo, options, HeightIsTheName,
                             [&seen](size_t i, const ImageRecord& record) {
                               EXPECT_EQ(record.image.height, static_cast<int>(i));
                               EXPECT_TRUE(seen.insert(i).second);
                               return absl::OkStatus();
                             }),
              testing::IsOk());
  EXPECT_THAT(seen, ::testing::ElementsAreArray(todo));
}

TEST(MeasureSamples, FirstError_NamesTheImageAndEndsTheRun) {
  const auto samples = NamedSamples(5);
  int done = 0;
  const auto status = MeasureSamples(
      samples, {0, 1, 2, 3, 4}, RunOptions(),
      [](const Sample& sample) -> absl::StatusOr<ImageRecord> {
        if (sample.name == "2") return absl::InternalError("broken");
        return ImageRecord();
      },
      [&done](size_t, const ImageRecord&) {
        ++done;
        return absl::OkStatus();
      });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal, "2: broken"));
  EXPECT_EQ(done, 2);
}

TEST(MeasureSamples, ErrorOfDone_EndsTheRun) {
  const auto samples = NamedSamples(3);
  std::atomic<int> measured = 0;
  EXPECT_THAT(MeasureSamples(
                  samples, {0, 1, 2}, RunOptions(),
                  [&measured](const Sample&) {
                    ++measured;
                    return ImageRecord();
                  },
                  [](size_t, const ImageRecord&) { return absl::UnavailableError("disk full"); }),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("disk full")));
  EXPECT_EQ(measured, 1);
}

TEST(MeasureSamples, OutOfMemory_IsAStatus) {
  EXPECT_THAT(MeasureSamples(
                  NamedSamples(1), {0}, RunOptions(),
                  [](const Sample&) -> absl::StatusOr<ImageRecord> { throw std::bad_alloc(); },
                  [](size_t, const ImageRecord&) { return absl::OkStatus(); }),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("memory")));
}

TEST(MeasureSamples, Stopped_IsCancelledAndKeepsWhatIsDone) {
  const auto samples = NamedSamples(10);
  int done = 0;
  RunOptions options;
  options.stop = [&done] { return done == 3; };
  EXPECT_THAT(MeasureSamples(samples, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, options, HeightIsTheName,
                             [&done](size_t, const ImageRecord&) {
                               ++done;
                               return absl::OkStatus();
                             }),
              StatusIs(absl::StatusCode::kCancelled, "stopped"));
  EXPECT_EQ(done, 3);
}

}  // namespace
}  // namespace objectdino
