// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/agenda.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace objectdino {

Agenda::Agenda(const RunClock& clock) : clock_(clock), thread_([this] { Work(); }) {}

void Agenda::At(absl::Duration time, Task task) {
  {
    const MutexLock lock(mutex_);
    if (!is_closed_) {
      const uint64_t number = added_++;
      heap_.push_back({time, number, std::move(task)});
      std::push_heap(heap_.begin(), heap_.end());
      if (heap_.front().number == number) changed_.NotifyOne();
      return;
    }
  }
  std::move(task)();
}

void Agenda::Close() {
  {
    const MutexLock lock(mutex_);
    closing_ = true;
    changed_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void Agenda::Work() {
  for (;;) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (!closing_ && (heap_.empty() || heap_.front().time > clock_.Now())) {
        if (heap_.empty()) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitUntil(mutex_, absl::Now() + (heap_.front().time - clock_.Now()));
        }
      }
      if (heap_.empty()) {
        is_closed_ = true;
        return;
      }
      std::pop_heap(heap_.begin(), heap_.end());
      task = std::move(heap_.back().task);
      heap_.pop_back();
    }
    std::move(task)();
  }
}

}  // namespace objectdino
