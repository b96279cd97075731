// SPDX-License-Identifier: Apache-2.0
#include "tools/eval/command.h"

#include "core/evaluation/bootstrap.h"
#include "core/evaluation/corloc.h"

namespace objectdino {

Box FirstBox(const ImageRecord& record, Subject subject) {
  if (subject == Subject::kCentreBox) return CentreBox(record.image);
  if (subject == Subject::kWholeImage || record.boxes.empty()) return WholeBox(record.image);
  return record.boxes.front();
}

Figure RatioFigure(const std::vector<double>& values, const std::vector<double>& weights,
                   double scale) {
  const auto ratio = [&](absl::Span<const int> counts) {
    return scale * RatioOfSums(values, weights, counts);
  };
  return {ratio({}), BootstrapInterval(static_cast<int>(values.size()), ratio)};
}

}  // namespace objectdino
