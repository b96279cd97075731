// SPDX-License-Identifier: Apache-2.0
// A thread that does things at their time: late if it must, early never.
//
// Thread-safety: all methods may be called from any thread, tasks included, Close excepted.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_AGENDA_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_AGENDA_H_

#include <cstdint>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

#include "client/cpp/load/run_clock.h"
#include "core/base/mutex.h"

namespace objectdino {

class Agenda {
 public:
  using Task = absl::AnyInvocable<void()>;

  // `clock` outlives it.
  explicit Agenda(const RunClock& clock);
  ~Agenda() { Close(); }
  Agenda(const Agenda&) = delete;
  Agenda& operator=(const Agenda&) = delete;

  // Tasks of the same time run in the order in which they were added; those of the past run at
  // once. After Close, the task runs in the calling thread, now.
  void At(absl::Duration time, Task task);

  // Runs what is left at once, in order, and what that adds; then ends the thread. Not from a task.
  void Close();

 private:
  struct Entry {
    absl::Duration time;
    uint64_t number;
    Task task;

    // Heaps have the largest in front.
    bool operator<(const Entry& other) const {
      return time != other.time ? time > other.time : number > other.number;
    }
  };

  void Work();

  const RunClock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Entry> heap_ ABSL_GUARDED_BY(mutex_);
  uint64_t added_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_AGENDA_H_
