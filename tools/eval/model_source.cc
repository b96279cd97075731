// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <utility>

#include "tools/eval/source.h"

#include "core/base/status_macros.h"
#include "core/image/decode.h"
#include "core/pipeline/grounder.h"
#include "core/pipeline/pixel_mask.h"
#include "core/pipeline/torch_runtime.h"

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
    OBJECTDINO_ASSIGN_OR_RETURN(answer.grounding, grounder_->Ground(decoded.image, options));
    if (!masks) return answer;
    for (const GroundedObject& object : answer.grounding.objects) {
      answer.pixel_masks.push_back(PixelMask(object, answer.grounding));
    }
    return answer;
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
