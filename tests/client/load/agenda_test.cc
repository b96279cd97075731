// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/agenda.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace objectdino {
namespace {

using ::testing::ElementsAre;

TEST(AgendaTest, At_TasksInAnyOrder_RunInThatOfTheirTimesAndNeverEarly) {
  const RunClock clock;
  std::vector<int> order;  // of the agenda's thread until it is closed
  std::vector<absl::Duration> late;
  {
    Agenda agenda(clock);
    std::atomic<int> left = 4;
    const absl::Duration start = clock.Now();
    for (const int ms : {30, 10, 20, 10}) {
      const absl::Duration time = start + absl::Milliseconds(ms);
      agenda.At(time, [&, ms, time] {
        order.push_back(ms);
        late.push_back(clock.Now() - time);
        --left;
      });
    }
    while (left > 0) std::this_thread::yield();
  }
  EXPECT_THAT(order, ElementsAre(10, 10, 20, 30));
  for (const absl::Duration d : late) EXPECT_GE(d, absl::ZeroDuration());
}

TEST(AgendaTest, At_SameTime_OrderOfAdding) {
  const RunClock clock;
  std::vector<int> order;
  {
    Agenda agenda(clock);
    for (int i = 0; i < 5; ++i) agenda.At(absl::Hours(1), [&, i] { order.push_back(i); });
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
}

TEST(AgendaTest, Close_TasksOfTheFuture_RunAtOnceWithWhatTheyAdd) {
  const RunClock clock;
  std::atomic<int> ran = 0;
  Agenda agenda(clock);
  agenda.At(absl::Hours(1), [&] {
    ++ran;
    agenda.At(absl::Hours(2), [&] { ++ran; });
  });
  agenda.Close();
  EXPECT_EQ(ran, 2);
}

TEST(AgendaTest, At_Closed_RunsInTheCallersThread) {
  const RunClock clock;
  Agenda agenda(clock);
  agenda.Close();
  std::thread::id where;
  agenda.At(absl::Hours(1), [&] { where = std::this_thread::get_id(); });
  EXPECT_EQ(where, std::this_thread::get_id());
}

}  // namespace
}  // namespace objectdino
