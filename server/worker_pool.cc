// SPDX-License-Identifier: Apache-2.0
#include "server/worker_pool.h"

#include <utility>

#include <unsupported/Eigen/CXX11/ThreadPool>

namespace objectdino {

struct WorkerPool::Pool {
  Eigen::ThreadPool threads;
};

WorkerPool::WorkerPool(int threads)
    : pool_(new Pool{Eigen::ThreadPool(threads, /*allow_spinning=*/false)}) {}
WorkerPool::~WorkerPool() = default;

void WorkerPool::Run(std::function<void()> task) { pool_->threads.Schedule(std::move(task)); }

}  // namespace objectdino
