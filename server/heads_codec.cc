// SPDX-License-Identifier: Apache-2.0
#include "server/heads_codec.h"

#include <algorithm>
#include <cstdint>

#include "server/tensor_codec.h"

namespace objectdino {

void EncodeHeads(const Grounding& grounding, const ModelConfig& model, v1::DataType dtype,
                 v1::GroundResponse* response) {
  for (const HeadRef& head : grounding.heads) {
    v1::HeadRef* out = response->add_heads();
    out->set_layer(static_cast<uint32_t>(head.layer));
    out->set_head(static_cast<uint32_t>(head.head));
  }
  v1::HeadAnalysis* analysis = response->mutable_head_analysis();
  *analysis->mutable_self_similarity() =
      EncodeTensor(grounding.head_maps,
                   {model.layers, model.heads, 3, grounding.grid.rows, grounding.grid.cols}, dtype);
  int last = -1;
  for (const int cluster : grounding.head_clusters) {
    analysis->add_clusters(cluster);
    last = std::max(last, cluster);
  }
  analysis->set_cluster_count(static_cast<uint32_t>(last + 1));
}

}  // namespace objectdino
