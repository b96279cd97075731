// SPDX-License-Identifier: Apache-2.0
// The way of a job through the stages, without gRPC: who gets what back, and what is computed.
#include "server/ground_pipeline.h"

#include <prometheus/text_serializer.h>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "server/request_error.h"
#include "tests/support/fake_engine.h"
#include "tests/support/pipeline_caller.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::PipelineCaller;
using testing::StatusIs;

// A pipeline on a FakeEngine.
struct House {
  explicit House(const PipelineOptions& options = {}, const Limits& wanted = {})
      : limits(wanted), metrics(engine.facts()), pipeline(engine, limits, options, metrics) {}
  ~House() {
    engine.Release();
    EXPECT_TRUE(pipeline.WaitUntilEmpty(absl::Seconds(60)));
  }
  std::string Metric() {
    return prometheus::TextSerializer().Serialize(metrics.collectable()->Collect());
  }

  FakeEngine engine;
  const Limits limits;
  Metrics metrics;
  GroundPipeline pipeline;
};

TEST(GroundPipeline, Job_ComesBackWithItsAnswerOnce) {
  House house;
  PipelineCaller caller;
  caller.Send(house.pipeline);
  EXPECT_THAT(caller.Wait(), IsOk());
  EXPECT_EQ(caller.response().objects_size(), 1);
  EXPECT_EQ(caller.response().timing().batch_size(), 1U);
  EXPECT_EQ(caller.answers(), 1);
}

TEST(GroundPipeline, CancelledInTheQueue_ComesBackAtOnceAndCostsNothing) {
  House house;
  house.engine.Block();
  PipelineCaller first;
  PipelineCaller second;
  first.Send(house.pipeline);
  house.engine.WaitForFirstCall();
  second.Send(house.pipeline);
  second.WaitUntilQueued();
  second.Cancel(house.pipeline);
  EXPECT_THAT(second.Wait(), StatusIs(absl::StatusCode::kCancelled, _));  // the lane still blocks
  house.engine.Release();
  EXPECT_THAT(first.Wait(), IsOk());
  EXPECT_EQ(house.engine.calls(), 1);
  EXPECT_THAT(house.Metric(), HasSubstr("objectdino_cancelled_total{stage=\"queue\"} 1"));
  EXPECT_THAT(house.Metric(), HasSubstr("objectdino_wasted_inferences_total 0"));
}

TEST(GroundPipeline, CancelledWhileComputed_EndsTheComputation) {
  House house;
  house.engine.Block();
  PipelineCaller caller;
  caller.Send(house.pipeline);
  house.engine.WaitForFirstCall();
  caller.Cancel(house.pipeline);
  EXPECT_THAT(caller.Wait(), StatusIs(absl::StatusCode::kCancelled, _));  // never released
  EXPECT_THAT(house.Metric(), HasSubstr("objectdino_cancelled_total{stage=\"inference\"} 1"));
}

TEST(GroundPipeline, DeadlinePassesWhileComputed_EndsTheComputation) {
  House house;
  house.engine.Block();
  PipelineCaller caller;
  caller.Send(house.pipeline, absl::Milliseconds(300));
  EXPECT_THAT(caller.Wait(), StatusIs(absl::StatusCode::kDeadlineExceeded, _));
}

TEST(GroundPipeline, DeadlineInThePast_IsNotAdmitted) {
  House house;
  PipelineCaller caller;
  caller.Send(house.pipeline, -absl::Seconds(1));
  EXPECT_THAT(caller.Wait(), StatusIs(absl::StatusCode::kDeadlineExceeded, _));
  EXPECT_EQ(house.engine.calls(), 0);
}

TEST(GroundPipeline, QueueFull_IsExhaustedWithARetryDelay) {
  Limits limits;
  limits.max_queue = 1;
  House house({}, limits);
  house.engine.Block();
  PipelineCaller computed;
  PipelineCaller waiting;
  PipelineCaller refused;
  computed.Send(house.pipeline);
  house.engine.WaitForFirstCall();
  waiting.Send(house.pipeline);
  refused.Send(house.pipeline);
  const absl::Status status = refused.Wait();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("all 1 places")));
  EXPECT_TRUE(RetryDelayOf(status).has_value());
  EXPECT_THAT(house.Metric(), HasSubstr("objectdino_rejected_total{reason=\"queue_full\"} 1"));
  EXPECT_THAT(house.Metric(), HasSubstr("objectdino_queue_depth 1"));
  EXPECT_THAT(house.Metric(), HasSubstr("objectdino_inflight 2"));
  house.engine.Release();
  EXPECT_THAT(computed.Wait(), IsOk());
  EXPECT_THAT(waiting.Wait(), IsOk());
}

TEST(GroundPipeline, BytesOverTheBudget_AreExhaustedButNeverInAnEmptyHouse) {
  Limits limits;
  limits.max_inflight_bytes = 10;  // any image is larger
  House house({}, limits);
  house.engine.Block();
  PipelineCaller alone;
  PipelineCaller refused;
  alone.Send(house.pipeline);
  refused.Send(house.pipeline);
  EXPECT_THAT(refused.Wait(),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limit of 10")));
  house.engine.Release();
  EXPECT_THAT(alone.Wait(), IsOk());
}

TEST(GroundPipeline, Closed_IsUnavailableWhileWhatIsInsideFinishes) {
  House house;
  house.engine.Block();
  PipelineCaller inside;
  inside.Send(house.pipeline);
  house.engine.WaitForFirstCall();
  house.pipeline.Close();
  PipelineCaller late;
  late.Send(house.pipeline);
  EXPECT_THAT(late.Wait(), StatusIs(absl::StatusCode::kUnavailable, _));
  house.engine.Release();
  EXPECT_THAT(inside.Wait(), IsOk());
}

TEST(GroundPipeline, WaitingJobs_ShareAForwardPass) {
  House house({.max_batch = 4});
  house.engine.Block();
  PipelineCaller first;
  first.Send(house.pipeline);
  house.engine.WaitForFirstCall();
  std::vector<PipelineCaller> others(4);
  for (PipelineCaller& caller : others) {
    caller.Send(house.pipeline);
    caller.WaitUntilQueued();
  }
  house.engine.Release();
  for (PipelineCaller& caller : others) {
    EXPECT_THAT(caller.Wait(), IsOk());
    EXPECT_EQ(caller.response().timing().batch_size(), 4U);
  }
  EXPECT_THAT(house.engine.batches(), ElementsAre(1, 4));
  EXPECT_THAT(house.Metric(), HasSubstr("objectdino_batch_size_sum 5"));
}

TEST(GroundPipeline, BatchWithoutMemory_IsTriedImageByImage) {
  House house({.max_batch = 2});
  house.engine.Block();
  PipelineCaller first;
  first.Send(house.pipeline);
  house.engine.WaitForFirstCall();
  std::vector<PipelineCaller> others(2);
  for (PipelineCaller& caller : others) {
    caller.Send(house.pipeline);
    caller.WaitUntilQueued();
  }
  house.engine.HaveMemoryFor(1);
  house.engine.Release();
  for (PipelineCaller& caller : others) EXPECT_THAT(caller.Wait(), IsOk());
  EXPECT_THAT(house.engine.batches(), ElementsAre(1, 2, 1, 1));
  house.engine.HaveMemoryFor(0);
  PipelineCaller hopeless;
  hopeless.Send(house.pipeline);
  EXPECT_THAT(hopeless.Wait(), StatusIs(absl::StatusCode::kResourceExhausted, _));
}

// A storm of short deadlines and cancels from several threads: every job comes back once, and what
// was computed was wanted. Run under ThreadSanitizer, too (scripts/sanitize).
TEST(GroundPipeline, CancelStorm_EveryJobComesBackOnce) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 250;
  House house({.lanes = 2, .decode_threads = 2, .post_threads = 2, .max_batch = 3});
  std::vector<std::vector<PipelineCaller>> callers(kThreads);
  for (auto& list : callers) list = std::vector<PipelineCaller>(kJobs);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < kJobs; ++i) {
        PipelineCaller& caller = callers[t][i];
        caller.Send(house.pipeline, absl::Milliseconds(1 + static_cast<int>(random() % 50)));
        if (random() % 10 < 3) callers[t][random() % (i + 1)].Cancel(house.pipeline);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int ok = 0;
  for (auto& list : callers) {
    for (PipelineCaller& caller : list) {
      const absl::StatusCode code = caller.Wait().code();
      EXPECT_THAT(code, ::testing::AnyOf(absl::StatusCode::kOk, absl::StatusCode::kCancelled,
                                         absl::StatusCode::kDeadlineExceeded,
                                         absl::StatusCode::kResourceExhausted));
      EXPECT_EQ(caller.answers(), 1);
      ok += code == absl::StatusCode::kOk ? 1 : 0;
    }
  }
  EXPECT_GT(ok, 0);
}

}  // namespace
}  // namespace objectdino
