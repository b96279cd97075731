// SPDX-License-Identifier: Apache-2.0
#include "tools/eval/command.h"

#include "core/evaluation/corloc.h"

namespace objectdino {
namespace {

class CorLocCommand : public Command {
 public:
  absl::StatusOr<ImageRecord> Measure(const Sample&, const Answer& answer,
                                      CheckBoxes) const override {
    return RecordBoxes(answer);
  }

  Table Columns() const override {
    return {{{"n", "n"}},
            {{"corloc", "CorLoc", 1}, {"mean_iou", "mean IoU", 3}, {"iou70", "IoU>=0.7", 1}},
            {}};
  }

  TableRow Summarize(absl::Span<const Sample> samples, absl::Span<const ImageRecord> records,
                     Subject subject) const override {
    std::vector<double> ious;
    std::vector<double> right;
    std::vector<double> strict;
    for (size_t i = 0; i < records.size(); ++i) {
      ious.push_back(BestIou(FirstBox(records[i], subject), samples[i].Boxes()));
      right.push_back(ious.back() >= kCorLocIou ? 1 : 0);
      strict.push_back(ious.back() >= kStrictIou ? 1 : 0);
    }
    const std::vector<double> ones(ious.size(), 1.0);
    return {
        "",
        {static_cast<int>(ious.size())},
        {RatioFigure(right, ones, 100), RatioFigure(ious, ones), RatioFigure(strict, ones, 100)}};
  }
};

}  // namespace

std::unique_ptr<Command> MakeCorLocCommand() { return std::make_unique<CorLocCommand>(); }

}  // namespace objectdino
