// SPDX-License-Identifier: Apache-2.0
// Answers with a head analysis, for tests of what the client makes of them.
#ifndef OBJECTDINO_TESTS_CLIENT_HEAD_ANSWERS_H_
#define OBJECTDINO_TESTS_CLIENT_HEAD_ANSWERS_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino::testing {

inline void SetMaps(const std::vector<float>& values, v1::GroundResponse& response) {
  response.mutable_head_analysis()->mutable_self_similarity()->set_data(
      reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

inline void SetClusters(const std::vector<int>& clusters, v1::GroundResponse& response) {
  v1::HeadAnalysis* analysis = response.mutable_head_analysis();
  analysis->mutable_clusters()->Assign(clusters.begin(), clusters.end());
  analysis->set_cluster_count(*std::max_element(clusters.begin(), clusters.end()) + 1);
}

inline void SetHeads(const std::vector<std::pair<int, int>>& heads, v1::GroundResponse& response) {
  response.clear_heads();
  for (const auto& [layer, head] : heads) {
    response.add_heads()->set_layer(layer);
    response.mutable_heads(response.heads_size() - 1)->set_head(head);
  }
}

// 2 layers of 3 heads, maps of 2 x 4 patches that rise from the first patch to the last, an image
// of 12 x 10 (width x height). Clusters 1 0 1 / 2 0 0.
inline v1::GroundResponse HeadResponse() {
  v1::GroundResponse response;
  response.mutable_image()->set_width(12);
  response.mutable_image()->set_height(10);
  response.mutable_image()->set_format("png");
  response.mutable_model()->set_name("m");
  response.set_method(v1::METHOD_OBJECT_DINO);
  response.mutable_grid()->set_rows(2);
  response.mutable_grid()->set_cols(4);
  v1::Tensor* maps = response.mutable_head_analysis()->mutable_self_similarity();
  maps->set_dtype(v1::DATA_TYPE_F32);
  for (const int side : {2, 3, 3, 2, 4}) maps->add_shape(side);
  std::vector<float> values(2 * 3 * 3 * 8);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.5F + 0.01F * static_cast<float>(i % 8);
  SetMaps(values, response);
  SetClusters({1, 0, 1, 2, 0, 0}, response);
  SetHeads({{0, 1}, {1, 1}, {1, 2}}, response);
  return response;
}

// The same with preset heads.
inline v1::GroundResponse PresetHeadResponse() {
  v1::GroundResponse response = HeadResponse();
  SetClusters({-1, -1, -1, -1, -1, -1}, response);
  SetHeads({{1, 0}, {1, 1}, {1, 2}}, response);
  return response;
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CLIENT_HEAD_ANSWERS_H_
