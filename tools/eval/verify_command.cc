// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "tools/eval/command.h"

#include "core/evaluation/auroc.h"
#include "core/evaluation/bootstrap.h"
#include "core/evaluation/corloc.h"
#include "core/evaluation/moved_boxes.h"
#include "core/objects/region_check.h"

namespace objectdino {
namespace {

// A trivial check: how well the box fits the trivial box.
VerifyRecord TrivialScores(const Sample& sample, const Box& trivial, ImageSize image) {
  const std::vector<Box> truth = sample.Boxes();
  const std::vector<std::vector<Box>> moved = MovedBoxes(truth, image, sample.name);
  VerifyRecord record;
  for (size_t i = 0; i < truth.size(); ++i) {
    if (moved[i].empty()) continue;
    record.true_scores.push_back(BoxIou(truth[i], trivial));
    for (const Box& place : moved[i]) record.moved_scores.push_back(BoxIou(place, trivial));
  }
  return record;
}

Figure KeptFigure(const std::vector<std::vector<double>>& scores) {
  std::vector<double> kept;
  std::vector<double> all;
  for (const std::vector<double>& of_image : scores) {
    kept.push_back(static_cast<double>(std::count_if(
        of_image.begin(), of_image.end(), [](double s) { return s >= kLooksLikeObject; })));
    all.push_back(static_cast<double>(of_image.size()));
  }
  return RatioFigure(kept, all, 100);
}

class VerifyCommand : public Command {
 public:
  absl::StatusOr<ImageRecord> Measure(const Sample& sample, const Answer& answer,
                                      CheckBoxes check) const override {
    return RecordVerify(sample, answer, check);
  }

  Table Columns() const override {
    return {
        {{"n", "n"}, {"true", "true"}, {"moved", "moved"}},
        {{"auroc", "AUROC", 3}, {"true_kept", "true kept %", 1}, {"moved_kept", "moved kept %", 1}},
        {}};
  }

  TableRow Summarize(absl::Span<const Sample> samples, absl::Span<const ImageRecord> records,
                     Subject subject) const override {
    std::vector<LabelledScore> scores;
    std::vector<std::vector<double>> of_true;
    std::vector<std::vector<double>> of_moved;
    TableRow row{"", {static_cast<int>(records.size()), 0, 0}, {}};
    for (size_t i = 0; i < records.size(); ++i) {
      const VerifyRecord verify =
          subject == Subject::kMethod
              ? records[i].verify
              : TrivialScores(samples[i], FirstBox(records[i], subject), records[i].image);
      const int image = static_cast<int>(i);
      for (const double score : verify.true_scores) scores.push_back({score, true, image});
      for (const double score : verify.moved_scores) scores.push_back({score, false, image});
      row.counts[1] += static_cast<int>(verify.true_scores.size());
      row.counts[2] += static_cast<int>(verify.moved_scores.size());
      of_true.push_back(verify.true_scores);
      of_moved.push_back(verify.moved_scores);
    }
    const Auroc auroc(std::move(scores));
    const auto value = [&auroc](absl::Span<const int> counts) { return auroc.Value(counts); };
    row.figures.push_back({value({}), BootstrapInterval(static_cast<int>(records.size()), value)});
    if (subject == Subject::kMethod) {
      row.figures.push_back(KeptFigure(of_true));
      row.figures.push_back(KeptFigure(of_moved));
    } else {  // the threshold is of another scale
      constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
      row.figures.resize(3, {kNone, {kNone, kNone}});
    }
    return row;
  }
};

}  // namespace

std::unique_ptr<Command> MakeVerifyCommand() { return std::make_unique<VerifyCommand>(); }

}  // namespace objectdino
