// SPDX-License-Identifier: Apache-2.0
// NumPy's legacy generator, so that a seed gives the same clusters here as in scikit-learn.
//
// NextDouble() equals numpy.random.RandomState(seed).random_sample() draw by draw: two 32-bit
// outputs a, b of MT19937 make ((a >> 5) * 2^26 + (b >> 6)) / 2^53. RandomState(42) starts with
// 0.3745401188473625. Thread-safety: none; one stream has one owner.
#ifndef OBJECTDINO_CORE_MATH_RANDOM_STATE_H_
#define OBJECTDINO_CORE_MATH_RANDOM_STATE_H_

#include <cstdint>
#include <random>

namespace objectdino {

class RandomState {
 public:
  explicit RandomState(uint32_t seed) : engine_(seed) {}

  // Uniform in [0, 1), 53 bits.
  double NextDouble();

 private:
  std::mt19937 engine_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_MATH_RANDOM_STATE_H_
