// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/head_answer.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>

#include "tests/client/head_answers.h"
#include "tests/support/status_matchers.h"

namespace objectdino {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HeadResponse;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::StatusIs;

TEST(HeadAnswerTest, ReadHeadAnswer_Clustered_ShapeClustersAndSizes) {
  const auto answer = ReadHeadAnswer(HeadResponse());
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->layers, 2);
  EXPECT_EQ(answer->heads, 3);
  EXPECT_EQ(answer->rows, 2);
  EXPECT_EQ(answer->cols, 4);
  EXPECT_EQ(answer->maps.size(), 2U * 3 * 3 * 8);
  EXPECT_FLOAT_EQ(answer->maps[7], 0.57F);
  EXPECT_THAT(answer->clusters, ElementsAre(1, 0, 1, 2, 0, 0));
  EXPECT_THAT(answer->cluster_sizes, ElementsAre(3, 2, 1));
  EXPECT_THAT(answer->object_centric, ElementsAre(false, true, false, false, true, true));
}

TEST(HeadAnswerTest, ReadHeadAnswer_Preset_NoClusters) {
  const auto answer = ReadHeadAnswer(testing::PresetHeadResponse());
  ASSERT_THAT(answer, IsOk());
  EXPECT_FALSE(answer->clustered());
  EXPECT_THAT(answer->cluster_sizes, IsEmpty());
  EXPECT_THAT(answer->object_centric, ElementsAre(false, false, false, true, true, true));
}

struct Contradiction {
  std::string name;
  std::function<void(v1::GroundResponse&)> change;
  std::string message;
};

class HeadAnswerRefused : public ::testing::TestWithParam<Contradiction> {};

TEST_P(HeadAnswerRefused, ReadHeadAnswer_Contradiction_InvalidArgument) {
  v1::GroundResponse response = HeadResponse();
  GetParam().change(response);
  EXPECT_THAT(ReadHeadAnswer(response),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().message)));
}

v1::Tensor& Maps(v1::GroundResponse& r) {
  return *r.mutable_head_analysis()->mutable_self_similarity();
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HeadAnswerRefused,
    ::testing::Values(
        Contradiction{"None", [](auto& r) { r.clear_head_analysis(); }, "no head analysis"},
        Contradiction{"HalfFloats", [](auto& r) { Maps(r).set_dtype(v1::DATA_TYPE_F16); }, "F32"},
        Contradiction{"FourAxes", [](auto& r) { Maps(r).mutable_shape()->RemoveLast(); }, "F32 ["},
        Contradiction{"TwoComponents", [](auto& r) { Maps(r).set_shape(2, 2); }, "F32 ["},
        Contradiction{"NoLayers", [](auto& r) { Maps(r).set_shape(0, 0); }, "empty or too large"},
        Contradiction{"Huge", [](auto& r) { Maps(r).set_shape(0, ~0U); }, "empty or too large"},
        Contradiction{"Transposed", [](auto& r) { Maps(r).mutable_shape()->SwapElements(3, 4); },
                      "patch grid"},
        Contradiction{"Short", [](auto& r) { Maps(r).mutable_data()->pop_back(); }, "bytes"},
        Contradiction{"MoreHeadsThanData", [](auto& r) { Maps(r).set_shape(1, 60); }, "bytes"},
        Contradiction{"NoNumber",
                      [](auto& r) {
                        std::vector<float> values(2 * 3 * 3 * 8);
                        values[5] = std::numeric_limits<float>::quiet_NaN();
                        testing::SetMaps(values, r);
                      },
                      "not finite"},
        Contradiction{"UnknownLayer", [](auto& r) { r.mutable_heads(0)->set_layer(2); }, "2.1"},
        Contradiction{"UnknownHead", [](auto& r) { r.mutable_heads(0)->set_head(~0U); }, "0.42949"},
        Contradiction{"FewClusters",
                      [](auto& r) { r.mutable_head_analysis()->mutable_clusters()->RemoveLast(); },
                      "clusters for 5"},
        Contradiction{"ClusterAboveCount",
                      [](auto& r) { r.mutable_head_analysis()->set_cluster_count(2); },
                      "cluster 2"},
        Contradiction{"NegativeCluster",
                      [](auto& r) { r.mutable_head_analysis()->set_clusters(0, -1); },
                      "cluster -1"},
        Contradiction{"ClustersOfPresetHeads",
                      [](auto& r) { r.mutable_head_analysis()->set_cluster_count(0); },
                      "cluster 1"},
        Contradiction{"EmptyCluster",
                      [](auto& r) { r.mutable_head_analysis()->set_cluster_count(4); }, "no head"},
        Contradiction{"HugeClusterCount",
                      [](auto& r) { r.mutable_head_analysis()->set_cluster_count(~0U); },
                      "4294967295"},
        Contradiction{"HeadOutsideClusterZero",
                      [](auto& r) {
                        testing::SetHeads({{0, 1}, {1, 1}}, r);
                      },
                      "cluster 0"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace objectdino
