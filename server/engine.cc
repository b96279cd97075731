// SPDX-License-Identifier: Apache-2.0
#include "server/engine.h"

#include <utility>

#include "core/base/status_macros.h"
#include "core/pipeline/torch_runtime.h"

namespace objectdino {
namespace {

class GrounderEngine final : public GroundingEngine {
 public:
  explicit GrounderEngine(std::unique_ptr<Grounder> grounder)
      : grounder_(std::move(grounder)),
        facts_{grounder_->model_name(), grounder_->weights_digest(), grounder_->device(),
               TorchVersion(), grounder_->model()} {}

  absl::StatusOr<PreparedImage> Prepare(Image image, const GroundOptions& options) const override {
    return grounder_->Prepare(std::move(image), options);
  }
  std::vector<absl::StatusOr<InferredImage>> Infer(absl::Span<const PreparedImage* const> batch,
                                                   absl::FunctionRef<bool()> stop) const override {
    return grounder_->Infer(batch, stop);
  }
  absl::StatusOr<Grounding> Finish(PreparedImage prepared, InferredImage inferred,
                                   absl::FunctionRef<bool()> stop) const override {
    return grounder_->Finish(std::move(prepared), std::move(inferred), stop);
  }
  const ModelFacts& facts() const override { return facts_; }

 private:
  std::unique_ptr<Grounder> grounder_;
  ModelFacts facts_;
};

}  // namespace

absl::StatusOr<Grounding> GroundingEngine::Ground(const Image& image,
                                                  const GroundOptions& options) const {
  OBJECTDINO_ASSIGN_OR_RETURN(PreparedImage prepared, Prepare(image, options));
  const auto never = [] { return false; };
  auto inferred = Infer({&prepared}, never);
  OBJECTDINO_RETURN_IF_ERROR(inferred.front().status());
  return Finish(std::move(prepared), *std::move(inferred.front()), never);
}

absl::StatusOr<std::unique_ptr<GroundingEngine>> LoadEngine(const GrounderOptions& options) {
  OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<Grounder> grounder, Grounder::Load(options));
  return std::unique_ptr<GroundingEngine>(new GrounderEngine(std::move(grounder)));
}

}  // namespace objectdino
