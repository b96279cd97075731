// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/head_answer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors on the wire are little-endian");

// Far above any backbone; what is drawn is bounded by these.
constexpr uint32_t kMaxLayers = 128;
constexpr uint32_t kMaxHeads = 64;
constexpr uint32_t kMaxGridSide = 1024;

absl::Status ReadMaps(const v1::GroundResponse& response, HeadAnswer& answer) {
  const v1::Tensor& tensor = response.head_analysis().self_similarity();
  if (tensor.dtype() != v1::DATA_TYPE_F32 || tensor.shape_size() != 5 || tensor.shape(2) != 3) {
    return absl::InvalidArgumentError(
        "the answer's self-similarity maps are not F32 [layers, heads, 3, rows, cols]");
  }
  const auto within = [](uint32_t side, uint32_t limit) { return side >= 1 && side <= limit; };
  if (!within(tensor.shape(0), kMaxLayers) || !within(tensor.shape(1), kMaxHeads) ||
      !within(tensor.shape(3), kMaxGridSide) || !within(tensor.shape(4), kMaxGridSide)) {
    return absl::InvalidArgumentError("the answer's self-similarity maps are empty or too large");
  }
  if (tensor.shape(3) != response.grid().rows() || tensor.shape(4) != response.grid().cols()) {
    return absl::InvalidArgumentError(
        "the answer's self-similarity maps are not on its patch grid");
  }
  answer.layers = static_cast<int>(tensor.shape(0));
  answer.heads = static_cast<int>(tensor.shape(1));
  answer.rows = static_cast<int>(tensor.shape(3));
  answer.cols = static_cast<int>(tensor.shape(4));
  const size_t count = static_cast<size_t>(answer.layers) * answer.heads * 3 * answer.patches();
  if (tensor.data().size() != count * sizeof(float)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the answer's self-similarity maps have ", tensor.data().size(),
                     " bytes, their shape needs ", count * sizeof(float)));
  }
  answer.maps.resize(count);
  std::memcpy(answer.maps.data(), tensor.data().data(), tensor.data().size());
  if (!std::all_of(answer.maps.begin(), answer.maps.end(),
                   [](float value) { return std::isfinite(value); })) {
    return absl::InvalidArgumentError("the answer's self-similarity maps are not finite");
  }
  return absl::OkStatus();
}

absl::Status ReadObjectHeads(const v1::GroundResponse& response, HeadAnswer& answer) {
  answer.object_centric.resize(static_cast<size_t>(answer.layers) * answer.heads);
  for (const v1::HeadRef& head : response.heads()) {
    if (head.layer() >= static_cast<uint32_t>(answer.layers) ||
        head.head() >= static_cast<uint32_t>(answer.heads)) {
      return absl::InvalidArgumentError(absl::StrCat("the answer's head ", head.layer(), ".",
                                                     head.head(), " is not one of its model's"));
    }
    answer.object_centric[head.layer() * answer.heads + head.head()] = true;
  }
  answer.object_heads = static_cast<int>(
      std::count(answer.object_centric.begin(), answer.object_centric.end(), true));
  return absl::OkStatus();
}

absl::Status ReadClusters(const v1::HeadAnalysis& analysis, HeadAnswer& answer) {
  const size_t heads = answer.object_centric.size();
  if (static_cast<size_t>(analysis.clusters_size()) != heads || analysis.cluster_count() > heads) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the answer has ", heads, " heads, but clusters for ", analysis.clusters_size(), ", ",
        analysis.cluster_count(), " of them different"));
  }
  const int count = static_cast<int>(analysis.cluster_count());
  answer.clusters.assign(analysis.clusters().begin(), analysis.clusters().end());
  answer.cluster_sizes.assign(count, 0);
  for (size_t i = 0; i < heads; ++i) {
    const int cluster = answer.clusters[i];
    if (count == 0 ? cluster != -1 : cluster < 0 || cluster >= count) {
      return absl::InvalidArgumentError(
          absl::StrCat("the answer's cluster ", cluster, " is not one of its ", count));
    }
    if (count == 0) continue;
    ++answer.cluster_sizes[cluster];
    if ((cluster == 0) != answer.object_centric[i]) {
      return absl::InvalidArgumentError("the answer's heads are not those of its cluster 0");
    }
  }
  if (std::count(answer.cluster_sizes.begin(), answer.cluster_sizes.end(), 0) > 0) {
    return absl::InvalidArgumentError("one of the answer's clusters has no head");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HeadAnswer> ReadHeadAnswer(const v1::GroundResponse& response) {
  if (!response.has_head_analysis()) {
    return absl::InvalidArgumentError("the answer has no head analysis");
  }
  HeadAnswer answer;
  OBJECTDINO_RETURN_IF_ERROR(ReadMaps(response, answer));
  OBJECTDINO_RETURN_IF_ERROR(ReadObjectHeads(response, answer));
  OBJECTDINO_RETURN_IF_ERROR(ReadClusters(response.head_analysis(), answer));
  return answer;
}

}  // namespace objectdino
