// SPDX-License-Identifier: Apache-2.0
#include "server/lanes.h"

#include <utility>

#include <unsupported/Eigen/CXX11/ThreadPool>

namespace objectdino {

struct Lanes::Pool {
  Eigen::ThreadPool threads;
};

Lanes::Lanes(int count) : pool_(new Pool{Eigen::ThreadPool(count, /*allow_spinning=*/false)}) {}
Lanes::~Lanes() = default;

void Lanes::Run(std::function<void()> task) { pool_->threads.Schedule(std::move(task)); }

}  // namespace objectdino
