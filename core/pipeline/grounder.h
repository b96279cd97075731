// SPDX-License-Identifier: Apache-2.0
// Object-DINO as one object: a loaded backbone that turns images into objects.
//
//   auto grounder = Grounder::Load({.model_dir = "models/dinov2-small"});
//   auto decoded = DecodeImage(bytes, {});
//   auto grounding = (*grounder)->Ground(decoded->image, GroundOptions{});
//
// Or, on threads of three kinds:
//
//   auto prepared = (*grounder)->Prepare(std::move(decoded->image), GroundOptions{});
//   auto inferred = (*grounder)->Infer({&*prepared, ...}, stop);
//   auto grounding = (*grounder)->Finish(*std::move(prepared), *std::move(inferred[0]), never);
//
// Thread-safety: const methods may run concurrently from several threads. Of these, those that call
// Infer, Ground or TimeBackbone should be few and live long (lanes): each gets Torch threads of its
// own. Prepare and Finish do not touch Torch.
// Cost: dominated by one backbone forward pass; OBJECT_DINO adds O(N D L), the cuts and LOST
// O(N^2 D).
// Torch's exceptions end here; no Torch type crosses this header.
#ifndef OBJECTDINO_CORE_PIPELINE_GROUNDER_H_
#define OBJECTDINO_CORE_PIPELINE_GROUNDER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/image/image.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounding.h"
#include "core/pipeline/stages.h"
#include "core/weights/model_config.h"

namespace objectdino {

struct GrounderOptions {
  std::string model_dir;       // a folder or file, see Checkpoint::Open
  std::string device = "cpu";  // "cpu", "cuda" or "cuda:<index>"
};

class Grounder {
 public:
  // NOT_FOUND or FAILED_PRECONDITION, one line that names the file or tensor at fault;
  // INVALID_ARGUMENT for a device that is not there; RESOURCE_EXHAUSTED when memory runs out;
  // INTERNAL for any other fault.
  static absl::StatusOr<std::unique_ptr<Grounder>> Load(const GrounderOptions& options);
  ~Grounder();

  // The first stage. INVALID_ARGUMENT for an option out of range or an empty image;
  // RESOURCE_EXHAUSTED when memory runs out.
  absl::StatusOr<PreparedImage> Prepare(Image image, const GroundOptions& options) const;

  // The middle stage: one forward pass over the batch, and one over the mirror images of those that
  // ask for it. One entry an image, in order. REQUIRES: all have the same patch grid; their options
  // may differ.
  //
  // On the CPU an entry is the same, bit for bit, alone and in any batch.
  //
  // `stop` is asked before every block of the transformer; where it says true the work ends and
  // every entry is CANCELLED. RESOURCE_EXHAUSTED when memory runs out and INTERNAL for an engine
  // fault are every entry's too where the forward pass is at fault; where one image is (values that
  // are not finite: INTERNAL), only its own.
  std::vector<absl::StatusOr<InferredImage>> Infer(absl::Span<const PreparedImage* const> batch,
                                                   absl::FunctionRef<bool()> stop) const;

  // The last stage. `stop` is asked before every pixel mask; where it says true: CANCELLED.
  // OUT_OF_RANGE: more pixel masks than options.max_mask_bytes. RESOURCE_EXHAUSTED when memory runs
  // out, INTERNAL for any other fault. REQUIRES: `inferred` is what Infer made of `prepared`.
  absl::StatusOr<Grounding> Finish(PreparedImage prepared, InferredImage inferred,
                                   absl::FunctionRef<bool()> stop) const;

  // The three in a row, alone. Statuses are theirs.
  absl::StatusOr<Grounding> Ground(const Image& image, const GroundOptions& options) const;

  // Milliseconds of one bare forward pass on the preprocessed image, nothing tapped: the yardstick
  // of the benchmark.
  absl::StatusOr<double> TimeBackbone(const Image& image, const GroundOptions& options) const;

  const ModelConfig& model() const;
  const std::string& weights_digest() const;  // SHA-256, hex
  const std::string& model_name() const;      // last component of model_dir
  const std::string& device() const;

 private:
  struct State;
  explicit Grounder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_GROUNDER_H_
