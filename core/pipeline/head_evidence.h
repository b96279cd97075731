// SPDX-License-Identifier: Apache-2.0
// What the attention heads of all layers say of one image. Thread-safety: a plain value.
#ifndef OBJECTDINO_CORE_PIPELINE_HEAD_EVIDENCE_H_
#define OBJECTDINO_CORE_PIPELINE_HEAD_EVIDENCE_H_

#include <vector>

#include "core/base/head_ref.h"

namespace objectdino {

// What each method asks for beside the CLS attention, which is always there:
//
//   OBJECT_DINO        heads, objectness (anchored)
//   OBJECT_DINO_CUT    heads, objectness (anchored), affinity (cosine, in the selected heads)
//   OBJECT_DINO_PAPER  heads, objectness (published), affinity (cosine, in the selected heads)
//   TOKENCUT           affinity (cosine of the last layer's keys)
//   LOST               affinity (products of the last layer's keys)
//   CLS_ATTENTION      objectness (the last layer's CLS attention, min-max scaled)
struct HeadEvidence {
  std::vector<HeadRef> heads;        // the object-centric ones, ascending; empty: none was selected
  std::vector<int> clusters;         // [L * H], see StableLabels; all -1 where none were clustered
  std::vector<float> maps;           // [L, H, 3, N], see SelfSimilarityMaps; only on request
  std::vector<float> objectness;     // [N] in [0, 1], or empty: the method makes it
  std::vector<float> cls_attention;  // [N], of the last two layers, sums to 1
  std::vector<float> affinity;       // [N, N], or empty
  std::vector<float> head_values;    // [N, E], see ValueFeatures; only with kObjectHeads
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_HEAD_EVIDENCE_H_
