// SPDX-License-Identifier: Apache-2.0
#include "server/slow_readers.h"

#include <utility>

#include "absl/time/clock.h"

namespace objectdino {

SlowReaders::SlowReaders(absl::Duration timeout)
    : timeout_(timeout), watcher_([this] { Watch(); }) {}

SlowReaders::~SlowReaders() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
    stopped_.NotifyAll();
  }
  watcher_.join();
}

void SlowReaders::Begin(const void* answer, std::function<void()> end) {
  const MutexLock lock(mutex_);
  sending_[answer] = {absl::Now(), std::move(end)};
}

void SlowReaders::End(const void* answer) {
  // An `end` may run its call's last callback on this very thread, which holds the lock then.
  if (std::this_thread::get_id() == watcher_.get_id()) {
    EraseLocked(answer);
  } else {
    const MutexLock lock(mutex_);
    EraseLocked(answer);
  }
}

void SlowReaders::EraseLocked(const void* answer) { sending_.erase(answer); }

std::function<void()> SlowReaders::TakeOverdueLocked(absl::Time now) {
  for (auto& [answer, sending] : sending_) {
    if (sending.end != nullptr && now - sending.since >= timeout_) {
      return std::exchange(sending.end, nullptr);
    }
  }
  return nullptr;
}

void SlowReaders::Watch() {
  const MutexLock lock(mutex_);
  while (!stop_) {
    const absl::Time now = absl::Now();
    while (const std::function<void()> end = TakeOverdueLocked(now)) end();
    stopped_.WaitUntil(mutex_, now + timeout_ / 4);
  }
}

}  // namespace objectdino
