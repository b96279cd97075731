// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/grounder.h"

#include <exception>
#include <filesystem>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "c10/util/Exception.h"

#include "core/base/status_macros.h"
#include "core/pipeline/finish.h"
#include "core/pipeline/infer.h"
#include "core/pipeline/prepare.h"
#include "core/vit/vision_transformer.h"
#include "core/weights/checkpoint.h"

namespace objectdino {

struct Grounder::State {
  std::string model_name;
  std::string weights_digest;
  std::string device;
  std::unique_ptr<VisionTransformer> backbone;
};

Grounder::Grounder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Grounder::~Grounder() = default;

absl::StatusOr<std::unique_ptr<Grounder>> Grounder::Load(const GrounderOptions& options) {
  try {
    const c10::InferenceMode inference;
    OBJECTDINO_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Open(options.model_dir));
    auto state = std::make_unique<State>();
    OBJECTDINO_ASSIGN_OR_RETURN(state->backbone,
                                VisionTransformer::Create(checkpoint, options.device));
    const std::filesystem::path folder =
        std::filesystem::absolute(options.model_dir).lexically_normal();
    state->model_name = folder.has_filename() ? folder.filename() : folder.parent_path().filename();
    state->weights_digest = checkpoint.digest();
    state->device = options.device;
    return std::unique_ptr<Grounder>(new Grounder(std::move(state)));
  } catch (const c10::OutOfMemoryError&) {
    return absl::ResourceExhaustedError("out of device memory while loading the model");
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory while loading the model");
  } catch (const c10::Error& error) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.model_dir, ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(options.model_dir, ": ", error.what()));
  }
}

absl::StatusOr<PreparedImage> Grounder::Prepare(Image image, const GroundOptions& options) const {
  OBJECTDINO_ASSIGN_OR_RETURN(PreparedImage prepared, PrepareImage(image, options, model()));
  if (options.pixel_masks) prepared.image = std::move(image);
  return prepared;
}

std::vector<absl::StatusOr<InferredImage>> Grounder::Infer(
    absl::Span<const PreparedImage* const> batch, absl::FunctionRef<bool()> stop) const {
  return InferBatch(*state_->backbone, batch, stop);
}

absl::StatusOr<Grounding> Grounder::Finish(PreparedImage prepared, InferredImage inferred,
                                           absl::FunctionRef<bool()> stop) const {
  const Image image = std::move(prepared.image);
  return FinishImage(std::move(prepared), std::move(inferred), image, model(), stop);
}

absl::StatusOr<Grounding> Grounder::Ground(const Image& image, const GroundOptions& options) const {
  OBJECTDINO_ASSIGN_OR_RETURN(PreparedImage prepared, PrepareImage(image, options, model()));
  const PreparedImage* const batch[] = {&prepared};
  OBJECTDINO_ASSIGN_OR_RETURN(InferredImage inferred,
                              std::move(Infer(batch, [] { return false; }).front()));
  return FinishImage(std::move(prepared), std::move(inferred), image, model(),
                     [] { return false; });
}

absl::StatusOr<double> Grounder::TimeBackbone(const Image& image,
                                              const GroundOptions& options) const {
  OBJECTDINO_ASSIGN_OR_RETURN(const PreparedImage prepared, PrepareImage(image, options, model()));
  return TimeForward(*state_->backbone, prepared);
}

const ModelConfig& Grounder::model() const { return state_->backbone->config(); }
const std::string& Grounder::weights_digest() const { return state_->weights_digest; }
const std::string& Grounder::model_name() const { return state_->model_name; }
const std::string& Grounder::device() const { return state_->device; }

}  // namespace objectdino
