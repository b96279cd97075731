// SPDX-License-Identifier: Apache-2.0
// What the service needs of a grounding engine. The real one is Grounder; tests bring their own.
#ifndef OBJECTDINO_SERVER_ENGINE_H_
#define OBJECTDINO_SERVER_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/image/image.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounder.h"
#include "core/pipeline/grounding.h"
#include "core/pipeline/stages.h"
#include "core/weights/model_config.h"

namespace objectdino {

// What is served.
struct ModelFacts {
  std::string name;
  std::string weights_sha256;
  std::string device;
  std::string torch_version;  // "2.13.0"
  ModelConfig config;
};

// Thread-safety: every method may be called from several threads at once.
class GroundingEngine {
 public:
  virtual ~GroundingEngine() = default;
  // The stages of Grounder, with its contracts.
  virtual absl::StatusOr<PreparedImage> Prepare(Image image,
                                                const GroundOptions& options) const = 0;
  virtual std::vector<absl::StatusOr<InferredImage>> Infer(
      absl::Span<const PreparedImage* const> batch, absl::FunctionRef<bool()> stop) const = 0;
  virtual absl::StatusOr<Grounding> Finish(PreparedImage prepared, InferredImage inferred,
                                           absl::FunctionRef<bool()> stop) const = 0;
  virtual const ModelFacts& facts() const = 0;

  // The stages in a row, for one image.
  absl::StatusOr<Grounding> Ground(const Image& image, const GroundOptions& options) const;
};

// Statuses as Grounder::Load.
absl::StatusOr<std::unique_ptr<GroundingEngine>> LoadEngine(const GrounderOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_ENGINE_H_
