// SPDX-License-Identifier: Apache-2.0
// Threads for the work around the network: decoding before it, objects and encoding after it.
//
// Thread-safe. Idle threads sleep; they never spin on the cores that the lanes compute on.
#ifndef OBJECTDINO_SERVER_WORKER_POOL_H_
#define OBJECTDINO_SERVER_WORKER_POOL_H_

#include <functional>
#include <memory>

namespace objectdino {

class WorkerPool {
 public:
  // A thread's queue; one task more would run on the thread that brings it.
  static constexpr int kMaxQueued = 1000;

  // REQUIRES: threads >= 1.
  explicit WorkerPool(int threads);
  ~WorkerPool();  // runs what is queued, then joins

  // First come, first served, nearly: each thread has its own queue, an idle one takes from others.
  // REQUIRES: at most kMaxQueued tasks are queued.
  void Run(std::function<void()> task);

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_WORKER_POOL_H_
