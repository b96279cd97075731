// SPDX-License-Identifier: Apache-2.0
// Random numbers of a load: the same on every platform for the same seed, unlike the distributions
// of the standard library.
// Thread-safety: none, one thread or a lock.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_LOAD_RANDOM_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_LOAD_RANDOM_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>

namespace objectdino {

class LoadRandom {
 public:
  // `stream` tells apart uses of one seed.
  LoadRandom(uint32_t seed, uint32_t stream) {
    std::seed_seq sequence{seed, stream};
    generator_.seed(sequence);
  }

  // [0, 1)
  double Uniform() { return static_cast<double>(generator_() >> 11) * 0x1p-53; }
  // [low, high); low where they are equal.
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // 0 .. count - 1
  size_t Below(size_t count) { return static_cast<size_t>(Uniform() * static_cast<double>(count)); }
  double Exponential(double mean) { return -mean * std::log1p(-Uniform()); }
  // Whether something with this probability happens.
  bool Chance(double probability) { return Uniform() < probability; }

 private:
  std::mt19937_64 generator_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_LOAD_RANDOM_H_
