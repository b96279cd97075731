// SPDX-License-Identifier: Apache-2.0
// Object-DINO as one object: a loaded backbone that turns images into objects.
//
//   auto grounder = Grounder::Load({.model_dir = "models/dinov2-small"});
//   auto decoded = DecodeImage(bytes, {});
//   auto grounding = (*grounder)->Ground(decoded->image, GroundOptions{});
//
// Thread-safety: Ground is const and may run concurrently from several threads (lanes).
// Cost: dominated by one backbone forward pass; OBJECT_DINO adds O(N D L), the cuts and LOST
// O(N^2 D).
// Torch's exceptions end here; no Torch type crosses this header.
#ifndef OBJECTDINO_CORE_PIPELINE_GROUNDER_H_
#define OBJECTDINO_CORE_PIPELINE_GROUNDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "core/image/image.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounding.h"
#include "core/weights/model_config.h"

namespace objectdino {

struct GrounderOptions {
  std::string model_dir;       // Hugging Face layout
  std::string device = "cpu";  // "cpu", "cuda" or "cuda:<index>"
};

class Grounder {
 public:
  // NOT_FOUND or FAILED_PRECONDITION, one line that names the file or tensor at fault;
  // INVALID_ARGUMENT for a device that is not there; RESOURCE_EXHAUSTED when memory runs out;
  // INTERNAL for any other fault.
  static absl::StatusOr<std::unique_ptr<Grounder>> Load(const GrounderOptions& options);
  ~Grounder();

  // INVALID_ARGUMENT for an option out of range or an empty image; RESOURCE_EXHAUSTED when memory
  // runs out; INTERNAL for an engine fault or values that are not finite.
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
