// SPDX-License-Identifier: Apache-2.0
// When the requests of an open loop are due: a Poisson process, which does not wait for answers.
// Thread-safety: none.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_POISSON_ARRIVALS_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_POISSON_ARRIVALS_H_

#include <cstdint>

#include "absl/time/time.h"

#include "client/cpp/load/load_random.h"

namespace objectdino {

class PoissonArrivals {
 public:
  // `rate`: arrivals a second, > 0.
  PoissonArrivals(double rate, uint32_t seed) : mean_gap_s_(1 / rate), random_(seed, 1) {}

  // Since the start of the process, ascending: gaps are exponential with mean 1 / rate.
  absl::Duration Next() {
    due_s_ += random_.Exponential(mean_gap_s_);
    return absl::Seconds(due_s_);
  }

 private:
  double mean_gap_s_;
  LoadRandom random_;
  double due_s_ = 0;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_POISSON_ARRIVALS_H_
