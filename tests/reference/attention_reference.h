// SPDX-License-Identifier: Apache-2.0
// Softmax attention as in the textbook, one number at a time in double.
#ifndef OBJECTDINO_TESTS_REFERENCE_ATTENTION_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_ATTENTION_REFERENCE_H_

#include <cmath>
#include <cstddef>
#include <vector>

namespace objectdino::reference {

// qkv [T, 3, H, d] row-major -> softmax(q k^T / sqrt(d)) v as [T, H, d].
inline std::vector<double> AttentionReference(const std::vector<double>& qkv, size_t tokens,
                                              size_t heads, size_t head_dim) {
  const auto at = [&](size_t token, size_t which, size_t head, size_t i) {
    return qkv[((token * 3 + which) * heads + head) * head_dim + i];
  };
  std::vector<double> result(tokens * heads * head_dim, 0.0);
  for (size_t head = 0; head < heads; ++head) {
    for (size_t t = 0; t < tokens; ++t) {
      std::vector<double> weights(tokens);
      double total = 0;
      for (size_t s = 0; s < tokens; ++s) {
        double dot = 0;
        for (size_t i = 0; i < head_dim; ++i) dot += at(t, 0, head, i) * at(s, 1, head, i);
        weights[s] = std::exp(dot / std::sqrt(static_cast<double>(head_dim)));
        total += weights[s];
      }
      for (size_t s = 0; s < tokens; ++s) {
        for (size_t i = 0; i < head_dim; ++i) {
          result[(t * heads + head) * head_dim + i] += weights[s] / total * at(s, 2, head, i);
        }
      }
    }
  }
  return result;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_ATTENTION_REFERENCE_H_
