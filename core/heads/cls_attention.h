// SPDX-License-Identifier: Apache-2.0
// Where the network itself looks: the attention of the CLS token to the patches.
//
// Thread-safety: pure function; run under c10::InferenceMode. Cost: O(T D) a layer.
#ifndef OBJECTDINO_CORE_HEADS_CLS_ATTENTION_H_
#define OBJECTDINO_CORE_HEADS_CLS_ATTENTION_H_

#include <vector>

#include "absl/types/span.h"

#include "core/vit/vision_transformer.h"

namespace objectdino {

// The model's own CLS-to-patch attention of the last `layers` layers (after the tap's rotation,
// scaled by 1/sqrt(d), softmax over all tokens), mean over layers and heads, patches only, scaled
// to sum 1. `taps` holds every layer of one image. [N], sums to 1.
std::vector<float> ClsAttention(absl::Span<const LayerTap> taps, int prefix_tokens, int layers = 2);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_CLS_ATTENTION_H_
