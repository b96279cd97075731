// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/load_run.h"

#include <algorithm>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"

namespace objectdino {
namespace {

using grpc::StatusCode;

// A server inside of the process: answers after a delay that the test says.
class FakeTransport final : public Transport {
 public:
  struct Plan {
    absl::Duration delay = absl::ZeroDuration();
    StatusCode code = StatusCode::OK;
    std::optional<absl::Duration> push_back = std::nullopt;
  };
  // Called from Start, with the time since the transport was made.
  using Server = std::function<Plan(const LoadRequest&, absl::Duration now)>;

  FakeTransport(Server server, Done done)
      : server_(std::move(server)), done_(std::move(done)), agenda_(clock_) {}
  ~FakeTransport() override { FakeTransport::Close(); }

  void Start(std::unique_ptr<LoadRequest> request, absl::Duration) override {
    const absl::Duration now = clock_.Now();
    const Plan plan = server_(*request, now);
    const uint64_t id = request->id;
    {
      const MutexLock lock(mutex_);
      out_.emplace(id, std::pair(std::move(request), plan));
      most_out_ = std::max(most_out_, out_.size());
    }
    agenda_.At(now + plan.delay, [this, id] { Answer(id, std::nullopt); });
  }
  void Cancel(uint64_t id) override {
    // From another thread, as the contract of `done` has it.
    agenda_.At(clock_.Now(), [this, id] { Answer(id, StatusCode::CANCELLED); });
  }
  void Close() override {
    is_closing_ = true;
    agenda_.Close();
  }

  size_t most_out() const {
    const MutexLock lock(mutex_);
    return most_out_;
  }

 private:
  void Answer(uint64_t id, std::optional<StatusCode> code) {
    std::pair<std::unique_ptr<LoadRequest>, Plan> entry;
    {
      const MutexLock lock(mutex_);
      const auto place = out_.find(id);
      if (place == out_.end()) return;
      entry = std::move(place->second);
      out_.erase(place);
    }
    LoadAnswer answer;
    answer.code = is_closing_ ? StatusCode::CANCELLED : code.value_or(entry.second.code);
    answer.push_back = entry.second.push_back;
    if (answer.code == StatusCode::OK) answer.timing.emplace();
    if (answer.code != StatusCode::OK) answer.message = "no";
    done_(std::move(entry.first), answer);
  }

  const RunClock clock_;
  const Server server_;
  const Done done_;
  std::atomic<bool> is_closing_ = false;
  mutable Mutex mutex_;
  std::map<uint64_t, std::pair<std::unique_ptr<LoadRequest>, Plan>> out_ ABSL_GUARDED_BY(mutex_);
  size_t most_out_ ABSL_GUARDED_BY(mutex_) = 0;
  Agenda agenda_;
};

struct Result {
  LoadRecord record;
  size_t most_out = 0;
};

Result RunLoad(const LoadOptions& options, FakeTransport::Server server,
               const std::atomic<bool>& interrupted = false) {
  EXPECT_TRUE(options.Validate().ok()) << options.Validate();
  Workload workload({"image"}, options);
  FakeTransport* transport = nullptr;
  LoadRun run(options, workload, [&](Transport::Done done) {
    auto made = std::make_unique<FakeTransport>(std::move(server), std::move(done));
    transport = made.get();
    return made;
  });
  Result result;
  result.record = run.Run(interrupted);
  result.most_out = transport->most_out();
  return result;
}

FakeTransport::Server AnswerAfter(absl::Duration delay) {
  return [=](auto&, auto) { return FakeTransport::Plan{.delay = delay}; };
}

size_t Count(const LoadRecord& record, const std::function<bool(const Outcome&)>& predicate) {
  return std::count_if(record.outcomes.begin(), record.outcomes.end(), predicate);
}

TEST(LoadRunTest, ClosedLoop_Requests_ExactlyThatManyAndNeverMoreOutThanCallers) {
  LoadOptions options;
  options.concurrency = 4;
  options.requests = 50;
  const auto [record, most_out] = RunLoad(options, AnswerAfter(absl::Milliseconds(2)));
  EXPECT_EQ(record.outcomes.size(), 50U);
  EXPECT_EQ(Count(record, [](auto& o) { return o.counts && o.code == StatusCode::OK; }), 50U);
  EXPECT_EQ(record.timings.size(), 50U);
  EXPECT_EQ(most_out, 4U);
  EXPECT_EQ(record.attempts, 50U);
}

TEST(LoadRunTest, ClosedLoop_Delay_AtMostCallersOverDelayAnswersInTheWindow) {
  LoadOptions options;
  options.concurrency = 5;
  options.duration_s = 0.4;
  const Result result = RunLoad(options, AnswerAfter(absl::Milliseconds(20)));
  // Each caller fits at most 0.4 s / 20 ms, and one that is out at the end.
  EXPECT_LE(result.record.outcomes.size(), 5U * (20 + 1));
  EXPECT_GE(result.record.outcomes.size(), 5U * 4);  // a very busy machine
  EXPECT_EQ(result.most_out, 5U);
  for (const Outcome& outcome : result.record.outcomes) {
    EXPECT_GE(outcome.latency(), absl::Milliseconds(20));
    EXPECT_LT(outcome.due, absl::Milliseconds(400));
  }
}

TEST(LoadRunTest, WarmUp_RequestsBefore_SentButNotCounted) {
  LoadOptions options;
  options.requests = 10;
  options.warmup_s = 0.05;
  const auto [record, _] = RunLoad(options, AnswerAfter(absl::Milliseconds(2)));
  EXPECT_EQ(Count(record, [](auto& o) { return o.counts; }), 10U);
  EXPECT_GT(record.outcomes.size(), 10U);
  for (const Outcome& outcome : record.outcomes) {
    EXPECT_EQ(outcome.counts, outcome.due >= absl::Milliseconds(50));
  }
  EXPECT_EQ(record.begin, absl::Milliseconds(50));
  EXPECT_EQ(record.timings.size(), 10U);
}

TEST(LoadRunTest, OpenLoop_SlowServer_SendsAsPlannedWhateverTheAnswersDo) {
  LoadOptions options;
  options.rate = 200;
  options.duration_s = 0.5;
  options.seed = 11;
  const auto [record, most_out] = RunLoad(options, AnswerAfter(absl::Milliseconds(300)));
  std::multiset<absl::Duration> planned, due;
  PoissonArrivals arrivals(200, 11);
  for (absl::Duration next = arrivals.Next(); next < absl::Milliseconds(500);
       next = arrivals.Next()) {
    planned.insert(next);
  }
  for (const Outcome& outcome : record.outcomes) {
    due.insert(outcome.due);
    EXPECT_GE(outcome.sent, outcome.due);
  }
  EXPECT_EQ(due, planned);
  EXPECT_GT(most_out, 20U);  // about 60
}

TEST(LoadRunTest, OpenLoop_ServerStallsOnce_AllThatWereDueMeanwhileShowIt) {
  constexpr absl::Duration kStall = absl::Milliseconds(100), kOver = absl::Milliseconds(300);
  LoadOptions options;
  options.rate = 300;
  options.duration_s = 0.4;
  const auto [record, _] = RunLoad(options, [=](auto&, absl::Duration now) {
    const bool stalls = now >= kStall && now < kOver;
    return FakeTransport::Plan{.delay = stalls ? kOver - now : absl::ZeroDuration()};
  });
  constexpr absl::Duration kClocks = absl::Milliseconds(20);  // the run's began a little earlier
  size_t hit = 0;
  for (const Outcome& outcome : record.outcomes) {
    if (outcome.due < kStall + kClocks || outcome.due >= kOver - kClocks) continue;
    ++hit;
    EXPECT_GE(outcome.answered, kOver - kClocks);
    EXPECT_GE(outcome.latency(), kOver - kClocks - outcome.due);
  }
  EXPECT_GT(hit, 30U);  // about 57
}

TEST(LoadRunTest, OpenLoop_GeneratorStallsOnce_AllThatWereDueMeanwhileShowItToo) {
  LoadOptions options;
  options.rate = 300;
  options.duration_s = 0.4;
  std::atomic<bool> has_stalled = false;
  const auto [record, _] = RunLoad(options, [&](auto&, absl::Duration now) {
    if (now > absl::Milliseconds(100) && !has_stalled.exchange(true)) {
      absl::SleepFor(absl::Milliseconds(150));  // on the thread that sends
    }
    return FakeTransport::Plan();
  });
  // All that were due between the stall's begin and end were sent after it.
  const auto stalled =
      std::max_element(record.outcomes.begin(), record.outcomes.end(),
                       [](auto& a, auto& b) { return a.answered - a.sent < b.answered - b.sent; });
  size_t late = 0;
  for (const Outcome& outcome : record.outcomes) {
    EXPECT_GE(outcome.latency(), outcome.sent - outcome.due);
    if (outcome.due <= stalled->due || outcome.due >= stalled->sent + absl::Milliseconds(150))
      continue;
    ++late;
    EXPECT_GE(outcome.answered, stalled->sent + absl::Milliseconds(150));
  }
  EXPECT_GT(late, 20U);  // about 45
}

TEST(LoadRunTest, OpenLoop_TooManyOutstanding_DroppedUnsentAndCounted) {
  LoadOptions options;
  options.rate = 500;
  options.requests = 60;
  options.max_outstanding = 5;
  const auto [record, most_out] = RunLoad(options, AnswerAfter(absl::Milliseconds(400)));
  EXPECT_EQ(record.outcomes.size(), 60U);
  EXPECT_LE(most_out, 5U);
  const size_t dropped = Count(record, [](auto& o) { return o.dropped; });
  EXPECT_GE(dropped, 10U);
  EXPECT_EQ(record.attempts, 60 - dropped);
}

TEST(LoadRunTest, OpenLoop_NextArrivalAfterTheEnd_DoesNotWaitForIt) {
  LoadOptions options;
  options.rate = 0.001;
  options.duration_s = 0.05;
  const absl::Time start = absl::Now();
  EXPECT_EQ(RunLoad(options, AnswerAfter(absl::ZeroDuration())).record.outcomes.size(), 0U);
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST(LoadRunTest, Cancellations_AtTheirTime_CancelledUnlessTheServerIsQuicker) {
  LoadOptions options;
  options.requests = 200;
  options.concurrency = 50;
  options.cancel_share = 0.5;
  options.cancel_after_ms = {1, 3};
  const auto [record, _] = RunLoad(options, [](const LoadRequest& request, auto) {
    return FakeTransport::Plan{.delay = request.id % 2 == 0 ? absl::Milliseconds(500)
                                                            : absl::ZeroDuration()};
  });
  const size_t planned = Count(record, [](auto& o) { return o.cancel_planned; });
  EXPECT_NEAR(static_cast<double>(planned), 100, 30);
  size_t cancelled = 0;
  for (const Outcome& outcome : record.outcomes) {
    if (outcome.code == StatusCode::OK) continue;
    ++cancelled;
    EXPECT_EQ(outcome.code, StatusCode::CANCELLED);
    EXPECT_TRUE(outcome.cancel_planned);
    EXPECT_GE(outcome.answered - outcome.sent, absl::Milliseconds(1));
  }
  EXPECT_GT(cancelled, 20U);
  EXPECT_LT(cancelled, planned);
}

TEST(LoadRunTest, NoRetry_Unavailable_TheServersWordIsFinal) {
  LoadOptions options;
  options.requests = 5;
  const auto [record, _] = RunLoad(
      options, [](auto&, auto) { return FakeTransport::Plan{.code = StatusCode::UNAVAILABLE}; });
  EXPECT_EQ(record.attempts, 5U);
  EXPECT_EQ(Count(record, [](auto& o) { return o.code == StatusCode::UNAVAILABLE; }), 5U);
  EXPECT_EQ(record.errors.at(StatusCode::UNAVAILABLE), "no");
}

TEST(LoadRunTest, Retry_ServerAwayForAWhile_NothingLost) {
  LoadOptions options;
  options.rate = 100;
  options.duration_s = 0.6;
  options.retry = true;
  const auto [record, _] = RunLoad(options, [](auto&, absl::Duration now) {
    const bool is_away = now > absl::Milliseconds(100) && now < absl::Milliseconds(500);
    return FakeTransport::Plan{.code = is_away ? StatusCode::UNAVAILABLE : StatusCode::OK};
  });
  EXPECT_EQ(Count(record, [](auto& o) { return o.code != StatusCode::OK; }), 0U);
  EXPECT_GT(Count(record, [](auto& o) { return o.attempts > 1; }), 10U);
  size_t attempts = 0;
  for (const Outcome& outcome : record.outcomes) attempts += outcome.attempts;
  EXPECT_EQ(record.attempts, attempts);
}

TEST(LoadRunTest, Retry_PushBack_WaitsAsLongAsTheServerSays) {
  LoadOptions options;
  options.requests = 3;
  options.retry = true;
  std::map<uint64_t, std::vector<absl::Duration>> starts;
  const auto [record, _] = RunLoad(options, [&](const LoadRequest& request, absl::Duration now) {
    starts[request.id].push_back(now);
    if (starts[request.id].size() > 2) return FakeTransport::Plan();
    return FakeTransport::Plan{.code = StatusCode::RESOURCE_EXHAUSTED,
                               .push_back = absl::Milliseconds(30)};
  });
  ASSERT_EQ(starts.size(), 3U);
  for (const auto& [_id, times] : starts) {
    ASSERT_EQ(times.size(), 3U);
    EXPECT_GE(times[1] - times[0], absl::Milliseconds(30));
    EXPECT_GE(times[2] - times[1], absl::Milliseconds(30));
  }
  for (const Outcome& outcome : record.outcomes) {
    EXPECT_EQ(outcome.code, StatusCode::OK);
    EXPECT_GE(outcome.latency(), absl::Milliseconds(60));
  }
}

TEST(LoadRunTest, Retry_RejectedWithoutPushBackOrOtherError_Final) {
  LoadOptions options;
  options.requests = 4;
  options.retry = true;
  for (const StatusCode code : {StatusCode::RESOURCE_EXHAUSTED, StatusCode::INVALID_ARGUMENT,
                                StatusCode::INTERNAL, StatusCode::DEADLINE_EXCEEDED}) {
    const auto [record, _] =
        RunLoad(options, [=](auto&, auto) { return FakeTransport::Plan{.code = code}; });
    EXPECT_EQ(record.attempts, 4U) << code;
  }
}

TEST(LoadRunTest, Retry_NoTimeLeft_LastAnswerStands) {
  LoadOptions options;
  options.requests = 2;
  options.retry = true;
  options.deadline_ms = {100, 100};
  const auto [record, _] = RunLoad(options, [](auto&, auto) {
    return FakeTransport::Plan{.code = StatusCode::RESOURCE_EXHAUSTED,
                               .push_back = absl::Milliseconds(200)};
  });
  EXPECT_EQ(record.attempts, 2U);
  EXPECT_EQ(Count(record, [](auto& o) { return o.code == StatusCode::RESOURCE_EXHAUSTED; }), 2U);
}

TEST(LoadRunTest, Interrupted_WhileRunning_SendsNothingMoreAndWaitsForWhatIsOut) {
  LoadOptions options;
  options.concurrency = 3;
  options.duration_s = 1000;
  std::atomic<bool> interrupted = false;
  const auto [record, _] = RunLoad(
      options,
      [&](const LoadRequest& request, auto) {
        if (request.id == 6) interrupted = true;
        return FakeTransport::Plan{.delay = absl::Milliseconds(200)};
      },
      interrupted);
  EXPECT_TRUE(record.interrupted);
  EXPECT_LT(record.outcomes.size(), 12U);
  EXPECT_EQ(Count(record, [](auto& o) { return o.unfinished; }), 0U);
  EXPECT_LT(record.end, absl::Seconds(100));
}

TEST(LoadRunTest, DeadServer_NoAnswerAtAll_GivesUpAfterTheDeadlineAsUnfinished) {
  LoadOptions options;
  options.concurrency = 3;
  options.duration_s = 0.05;
  options.deadline_ms = {50, 50};
  const auto [record, _] = RunLoad(options, AnswerAfter(absl::Hours(1)));
  EXPECT_EQ(record.outcomes.size(), 3U);
  EXPECT_EQ(Count(record, [](auto& o) { return o.unfinished; }), 3U);
  EXPECT_TRUE(record.errors.empty());
}

}  // namespace
}  // namespace objectdino
