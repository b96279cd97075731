// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/auroc.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace objectdino {

Auroc::Auroc(std::vector<LabelledScore> scores) : scores_(std::move(scores)) {
  std::sort(scores_.begin(), scores_.end(),
            [](const LabelledScore& a, const LabelledScore& b) { return a.score < b.score; });
}

double Auroc::Value(absl::Span<const int> counts) const {
  double wins = 0;
  double positives = 0;
  double negatives = 0;  // so far: those that score less
  for (size_t i = 0; i < scores_.size();) {
    double tied_positives = 0;
    double tied_negatives = 0;
    const double score = scores_[i].score;
    for (; i < scores_.size() && scores_[i].score == score; ++i) {
      const double count = counts.empty() ? 1 : counts[scores_[i].image];
      (scores_[i].positive ? tied_positives : tied_negatives) += count;
    }
    wins += tied_positives * (negatives + tied_negatives / 2);
    positives += tied_positives;
    negatives += tied_negatives;
  }
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return wins / (positives * negatives);
}

}  // namespace objectdino
