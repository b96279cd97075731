// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <utility>

#include "tools/eval/source.h"

#include "core/base/status_macros.h"
#include "core/image/decode.h"
#include "core/math/rle.h"
#include "core/pipeline/grounder.h"
#include "core/pipeline/torch_runtime.h"
#include "core/pipeline/verify.h"

namespace objectdino {
namespace {

class ModelSource : public Source {
 public:
  explicit ModelSource(std::unique_ptr<Grounder> grounder) : grounder_(std::move(grounder)) {}

  absl::Status Check(const GroundOptions& options) const override {
    return options.Validate(grounder_->model());
  }

  absl::StatusOr<Answer> Ground(const std::string& encoded, const GroundOptions& options,
                                bool masks) const override {
    DecodeOptions decode;
    decode.allow_truncated = true;
    OBJECTDINO_ASSIGN_OR_RETURN(const DecodedImage decoded, DecodeImage(encoded, decode));
    Answer answer;
    GroundOptions with_masks = options;
    with_masks.pixel_masks = masks;
    with_masks.patch_embeddings = true;  // for CheckBoxes
    OBJECTDINO_ASSIGN_OR_RETURN(answer.grounding, grounder_->Ground(decoded.image, with_masks));
    if (!masks) return answer;
    const ImageSize size = answer.grounding.image;
    for (GroundedObject& object : answer.grounding.objects) {
      OBJECTDINO_ASSIGN_OR_RETURN(auto mask,
                                  DecodeCocoRle(object.pixel_mask, size.height, size.width));
      answer.pixel_masks.push_back(std::move(mask));
      object.pixel_mask.clear();
    }
    return answer;
  }

  absl::StatusOr<std::vector<double>> CheckBoxes(const std::string&, const GroundOptions&,
                                                 const Answer& answer,
                                                 absl::Span<const Box> boxes) const override {
    const std::vector<ClaimedRegion> regions(boxes.begin(), boxes.end());
    std::vector<double> rules;
    for (const RegionScore& score : VerifyRegions(answer.grounding, regions)) {
      rules.push_back(score.reading.rule());
    }
    return rules;
  }

  const std::string& model_digest() const override { return grounder_->weights_digest(); }
  int max_lanes() const override { return std::numeric_limits<int>::max(); }

 private:
  std::unique_ptr<Grounder> grounder_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> LoadModel(const std::string& model_dir) {
  SetTorchThreads(1);
  SetImageThreads(1);
  KeepFreedMemory();
  OBJECTDINO_ASSIGN_OR_RETURN(auto grounder, Grounder::Load({.model_dir = model_dir}));
  return std::make_unique<ModelSource>(std::move(grounder));
}

}  // namespace objectdino
