// SPDX-License-Identifier: Apache-2.0
#include "core/objects/object_embedding.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr double kMinNorm = 1e-12;  // as torch.nn.functional.normalize

template <typename T>
double Norm(absl::Span<const T> x) {
  double sum = 0;
  for (const T value : x) sum += double{value} * double{value};
  return std::max(std::sqrt(sum), kMinNorm);
}

}  // namespace

std::vector<float> PoolObjectEmbedding(absl::Span<const float> patch_tokens, int width,
                                       absl::Span<const uint8_t> mask) {
  OBJECTDINO_CHECK(width >= 1 && patch_tokens.size() == mask.size() * static_cast<size_t>(width));
  std::vector<double> sum(width, 0);  // [width]; the direction of the mean
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) continue;
    const absl::Span<const float> token = patch_tokens.subspan(i * width, width);
    const double scale = 1 / Norm(token);
    for (int d = 0; d < width; ++d) sum[d] += scale * token[d];
  }
  const double scale = 1 / Norm(absl::MakeConstSpan(sum));
  std::vector<float> embedding(width);
  for (int d = 0; d < width; ++d) embedding[d] = static_cast<float>(scale * sum[d]);
  return embedding;
}

}  // namespace objectdino
