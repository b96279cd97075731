// SPDX-License-Identifier: Apache-2.0
#include "core/heads/value_features.h"

#include <cmath>

#include "ATen/ATen.h"

#include "core/base/status_macros.h"
#include "core/heads/similarity.h"
#include "core/heads/to_vector.h"

namespace objectdino {
namespace {

constexpr int kValue = 2;  // in q, k, v

}  // namespace

std::vector<float> ValueFeatures(absl::Span<const LayerTap> taps, int prefix_tokens,
                                 absl::Span<const HeadRef> heads) {
  OBJECTDINO_CHECK(!heads.empty());
  std::vector<at::Tensor> parts;
  for (const HeadRef& ref : heads) {
    const at::Tensor values = taps[ref.layer].qkv[0].slice(0, prefix_tokens).select(1, kValue);
    parts.push_back(UnitVectors(values.select(1, ref.head)));  // [N, d]
  }
  return ToVector(at::cat(parts, 1) / std::sqrt(static_cast<double>(heads.size())));
}

}  // namespace objectdino
