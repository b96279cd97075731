// SPDX-License-Identifier: Apache-2.0
// Where an evaluation's answers come from: the model in this process, or a server.
#ifndef OBJECTDINO_TOOLS_EVAL_SOURCE_H_
#define OBJECTDINO_TOOLS_EVAL_SOURCE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/evaluation/record.h"
#include "core/pipeline/ground_options.h"

namespace objectdino {

// Thread-safety: all methods may be called from any number of threads at once.
class Source {
 public:
  virtual ~Source() = default;

  // INVALID_ARGUMENT, UNIMPLEMENTED: options that Ground would refuse for every image.
  virtual absl::Status Check(const GroundOptions& options) const = 0;

  // `encoded`: the bytes of an image file; one that is cut short is decoded as far as it goes.
  // `masks`: fill Answer::pixel_masks. Errors as Grounder's, DecodeImage's or the server's.
  virtual absl::StatusOr<Answer> Ground(const std::string& encoded, const GroundOptions& options,
                                        bool masks) const = 0;

  // The rule of each box (core/objects/region_check.h). `answer` is what Ground gave for the same
  // image and options.
  virtual absl::StatusOr<std::vector<double>> CheckBoxes(const std::string& encoded,
                                                         const GroundOptions& options,
                                                         const Answer& answer,
                                                         absl::Span<const Box> boxes) const = 0;

  virtual const std::string& model_digest() const = 0;  // SHA-256 of the weights
  virtual int max_lanes() const = 0;                    // calls of Ground at once
};

absl::StatusOr<std::unique_ptr<Source>> LoadModel(const std::string& model_dir);

// `address`: host:port. The answers lack what is not on the wire, such as the CLS attention.
absl::StatusOr<std::unique_ptr<Source>> ConnectServer(const std::string& address);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_EVAL_SOURCE_H_
