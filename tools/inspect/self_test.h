// SPDX-License-Identifier: Apache-2.0
// Runs a model on inputs for which the values of the published weights are known (backbones.md 3.2,
// 3.6).
#ifndef OBJECTDINO_TOOLS_INSPECT_SELF_TEST_H_
#define OBJECTDINO_TOOLS_INSPECT_SELF_TEST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "core/weights/checkpoint.h"

namespace objectdino {

struct SelfTestRow {
  std::string name;      // "224 x 224, last patch"
  double deviation = 0;  // largest difference of the first five values
  double tolerance = 0;

  bool passed() const { return deviation <= tolerance; }
};

// The rows for this model. `image` is the path of COCO's val2017/000000039769.jpg, for the models
// whose values were published for it; the others need none. NOT_FOUND when no values are known for
// a model of this kind; INVALID_ARGUMENT when the image is missing or is another one;
// FAILED_PRECONDITION when the model cannot be built.
absl::StatusOr<std::vector<SelfTestRow>> RunSelfTest(const Checkpoint& checkpoint,
                                                     const std::string& image);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_INSPECT_SELF_TEST_H_
