// SPDX-License-Identifier: Apache-2.0
// The threads that compute. A lane takes one request at a time, from decoding to the encoded reply.
//
// Thread-safe. Threads are made once, because GNU OpenMP keeps a team of workers for every thread
// that ever computed. Idle lanes sleep; they never spin on the cores that others compute on.
#ifndef OBJECTDINO_SERVER_LANES_H_
#define OBJECTDINO_SERVER_LANES_H_

#include <functional>
#include <memory>

namespace objectdino {

class Lanes {
 public:
  // REQUIRES: count >= 1.
  explicit Lanes(int count);
  ~Lanes();  // runs what is queued, then joins

  // First come, first served, nearly: each lane has its own queue, an idle lane takes from others.
  // REQUIRES: at most InFlight::kMaxLimit tasks are queued.
  void Run(std::function<void()> task);

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_LANES_H_
