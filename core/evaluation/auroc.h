// SPDX-License-Identifier: Apache-2.0
// Area under the ROC curve: how often a positive scores above a negative, ties counting half.
// Thread-safety: const after construction. Cost: O(m log m) once, O(m) an evaluation.
#ifndef OBJECTDINO_CORE_EVALUATION_AUROC_H_
#define OBJECTDINO_CORE_EVALUATION_AUROC_H_

#include <vector>

#include "absl/types/span.h"

namespace objectdino {

struct LabelledScore {
  double score = 0;
  bool positive = false;
  int image = 0;  // the image it was measured in
};

class Auroc {
 public:
  explicit Auroc(std::vector<LabelledScore> scores);

  // With the scores of image i counted counts[i] times; empty `counts` are all ones. NaN where
  // either kind is missing.
  double Value(absl::Span<const int> counts = {}) const;

 private:
  std::vector<LabelledScore> scores_;  // ascending
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_AUROC_H_
