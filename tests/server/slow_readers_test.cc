// SPDX-License-Identifier: Apache-2.0
#include "server/slow_readers.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace objectdino {
namespace {

TEST(SlowReaders, OverdueAnswer_EndsItsCallOnce) {
  SlowReaders readers(absl::Milliseconds(20));
  const int answer = 0;
  const int other = 0;
  std::atomic<int> ends = 0;
  absl::Notification ended;
  absl::Notification later;
  readers.Begin(&answer, [&] {
    if (++ends == 1) ended.Notify();
  });
  ended.WaitForNotification();
  readers.Begin(&other, [&] { later.Notify(); });
  later.WaitForNotification();  // by then the first would have been ended again
  EXPECT_EQ(ends, 1);
  readers.End(&answer);
}

TEST(SlowReaders, SentAnswer_IsLeftAlone) {
  SlowReaders readers(absl::Milliseconds(20));
  const int sent = 0;
  const int slow = 0;
  std::atomic<bool> ended = false;
  absl::Notification overdue;
  readers.Begin(&sent, [&] { ended = true; });
  readers.End(&sent);
  readers.Begin(&slow, [&] { overdue.Notify(); });
  overdue.WaitForNotification();
  EXPECT_FALSE(ended);
}

TEST(SlowReaders, CallThatIsOverWhileItIsEnded_DoesNotHang) {
  SlowReaders readers(absl::Milliseconds(20));
  const int answer = 0;
  absl::Notification over;
  readers.Begin(&answer, [&] {
    readers.End(&answer);  // gRPC may run the call's last callback in here
    over.Notify();
  });
  over.WaitForNotification();
}

}  // namespace
}  // namespace objectdino
