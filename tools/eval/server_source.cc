// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/eval/source.h"

#include "client/cpp/grounding_client.h"
#include "core/base/status_macros.h"
#include "core/math/rle.h"
#include "server/codec.h"

namespace objectdino {
namespace {

// Fields that a method may have no use for are set only where they differ from the core's default,
// which is the server's too.
v1::GroundOptions WireOptions(const GroundOptions& options, bool masks) {
  const GroundOptions defaults;
  v1::GroundOptions wire;
  wire.add_outputs(masks ? v1::OUTPUT_PIXEL_MASKS : v1::OUTPUT_OBJECTS);
  wire.set_method(EncodeMethod(options.method));
  wire.set_input_size(static_cast<uint32_t>(options.input_size));
  wire.set_resize_mode(options.resize_mode == ResizeMode::kSquare ? v1::RESIZE_MODE_SQUARE
                                                                  : v1::RESIZE_MODE_ASPECT);
  wire.set_max_objects(static_cast<uint32_t>(options.max_objects));
  wire.set_min_score(static_cast<float>(options.min_score));
  wire.set_allow_truncated(true);
  if (options.head_selection == HeadSelection::kPreset) {
    wire.set_head_selection(v1::HEAD_SELECTION_PRESET);
  }
  if (options.clusters != defaults.clusters) {
    wire.set_clusters(static_cast<uint32_t>(options.clusters));
  }
  if (options.components != defaults.components) {
    if (options.components.query) wire.add_components(v1::ATTENTION_COMPONENT_QUERY);
    if (options.components.key) wire.add_components(v1::ATTENTION_COMPONENT_KEY);
    if (options.components.value) wire.add_components(v1::ATTENTION_COMPONENT_VALUE);
  }
  if (options.layer_scope == LayerScope::kLastLayer) {
    wire.set_layer_scope(v1::LAYER_SCOPE_LAST_LAYER);
  }
  if (options.temperature) wire.set_temperature(static_cast<float>(*options.temperature));
  if (options.mirror) wire.set_mirror(true);
  if (options.proposals) wire.set_proposals(true);
  if (masks) {
    wire.set_mask_refinement(options.mask_refinement == MaskRefinement::kNone
                                 ? v1::MASK_REFINEMENT_NONE
                                 : v1::MASK_REFINEMENT_EDGE_AWARE);
  }
  if (options.tau != GroundOptions::kTauOfMethod) {
    wire.set_affinity_threshold(static_cast<float>(options.tau));
  }
  return wire;
}

absl::StatusOr<Answer> AnswerOf(const v1::GroundResponse& response, bool masks) {
  Answer answer;
  Grounding& grounding = answer.grounding;
  grounding.image = {static_cast<int>(response.image().height()),
                     static_cast<int>(response.image().width())};
  for (const v1::GroundedObject& found : response.objects()) {
    GroundedObject& object = grounding.objects.emplace_back();
    const v1::Box& box = found.box();
    object.box = {box.x1(), box.y1(), box.x2(), box.y2()};
    object.score = found.score();
    if (!masks) continue;
    OBJECTDINO_ASSIGN_OR_RETURN(auto mask,
                                DecodeCocoRle(found.pixel_mask().coco_rle(), grounding.image.height,
                                              grounding.image.width));
    answer.pixel_masks.push_back(std::move(mask));
  }
  return answer;
}

class ServerSource : public Source {
 public:
  ServerSource(std::unique_ptr<GroundingClient> client, const v1::GetModelInfoResponse& info)
      : client_(std::move(client)),
        digest_(info.model().weights_sha256()),
        max_regions_(std::max(info.limits().max_regions(), 1U)),
        max_lanes_(static_cast<int>(std::clamp(info.limits().max_queue(), 1U, 256U))) {}

  absl::Status Check(const GroundOptions& options) const override {
    if (!options.seed_rule) return absl::OkStatus();
    return absl::UnimplementedError("the published seed rule of the cut is not on the wire");
  }

  absl::StatusOr<Answer> Ground(const std::string& encoded, const GroundOptions& options,
                                bool masks) const override {
    const auto response = client_->Ground(encoded, WireOptions(options, masks));
    if (!response.ok()) {
      return absl::Status(response.status().code(), ErrorText(response.status()));
    }
    return AnswerOf(*response, masks);
  }

  absl::StatusOr<std::vector<double>> CheckBoxes(const std::string& encoded,
                                                 const GroundOptions& options, const Answer&,
                                                 absl::Span<const Box> boxes) const override {
    std::vector<double> rules;
    while (!boxes.empty()) {
      std::vector<v1::Region> regions;
      for (const Box& box : boxes.subspan(0, max_regions_)) {
        v1::Box* const wire = regions.emplace_back().mutable_box();
        wire->set_x1(box.x1);
        wire->set_y1(box.y1);
        wire->set_x2(box.x2);
        wire->set_y2(box.y2);
      }
      boxes.remove_prefix(regions.size());
      const auto response = client_->VerifyRegions(encoded, regions, WireOptions(options, false));
      if (!response.ok()) {
        return absl::Status(response.status().code(), ErrorText(response.status()));
      }
      for (const v1::RegionScore& score : response->scores()) {
        rules.push_back(double{score.objectness_inside()} - score.objectness_around() +
                        score.attention_inside() - score.attention_outside());
      }
    }
    return rules;
  }

  const std::string& model_digest() const override { return digest_; }
  int max_lanes() const override { return max_lanes_; }

 private:
  std::unique_ptr<GroundingClient> client_;
  std::string digest_;
  size_t max_regions_;
  int max_lanes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> ConnectServer(const std::string& address) {
  const auto failed = [&address](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(address, ": ", ErrorText(status)));
  };
  ClientOptions options;
  options.timeout = absl::Minutes(5);  // lanes fill the server's queue, and share its cores
  auto client = GroundingClient::Connect(address, options);
  if (!client.ok()) return failed(client.status());
  const auto info = (*client)->GetModelInfo();
  if (!info.ok()) return failed(info.status());
  return std::make_unique<ServerSource>(*std::move(client), *info);
}

}  // namespace objectdino
