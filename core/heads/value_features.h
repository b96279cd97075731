// SPDX-License-Identifier: Apache-2.0
// Patch vectors made of the values of chosen heads: the object-centric part of the network, as
// features.
#ifndef OBJECTDINO_CORE_HEADS_VALUE_FEATURES_H_
#define OBJECTDINO_CORE_HEADS_VALUE_FEATURES_H_

#include <vector>

#include "absl/types/span.h"

#include "core/base/head_ref.h"
#include "core/vit/vision_transformer.h"

namespace objectdino {

// Row-major [N, H_sel d]: for each patch the L2-normalised values of each head, in the order of
// `heads`, divided by sqrt(H_sel), so that a row has unit length. Vectors of different head sets
// are not comparable. `taps` holds every layer of one image, by number. Thread-safety: pure
// function; run under c10::InferenceMode. Cost: O(N H_sel d).
std::vector<float> ValueFeatures(absl::Span<const LayerTap> taps, int prefix_tokens,
                                 absl::Span<const HeadRef> heads);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_VALUE_FEATURES_H_
