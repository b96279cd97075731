// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "tools/eval/command.h"

namespace objectdino {
namespace {

const std::vector<double>& IousOf(const MaskRecord& masks, Subject subject) {
  switch (subject) {
    case Subject::kMethod:
      return masks.best;
    case Subject::kWholeImage:
      return masks.whole;
    case Subject::kCentreBox:
      return masks.centre;
  }
  return masks.best;
}

class MasksCommand : public Command {
 public:
  bool needs_masks() const override { return true; }

  absl::StatusOr<ImageRecord> Measure(const Sample& sample, const Answer& answer,
                                      CheckBoxes) const override {
    return RecordMasks(sample, answer);
  }

  Table Columns() const override {
    return {{{"n", "n"}, {"instances", "instances"}},
            {{"miou", "mIoU", 3}, {"largest_miou", "mIoU of largest", 3}},
            {}};
  }

  TableRow Summarize(absl::Span<const Sample>, absl::Span<const ImageRecord> records,
                     Subject subject) const override {
    std::vector<double> sums;
    std::vector<double> instances;
    std::vector<double> largest;
    for (const ImageRecord& record : records) {
      const std::vector<double>& ious = IousOf(record.masks, subject);
      sums.push_back(std::accumulate(ious.begin(), ious.end(), 0.0));
      instances.push_back(static_cast<double>(ious.size()));
      largest.push_back(ious[record.masks.largest]);
    }
    const std::vector<double> ones(records.size(), 1.0);
    return {"",
            {static_cast<int>(records.size()),
             static_cast<int>(std::accumulate(instances.begin(), instances.end(), 0.0))},
            {RatioFigure(sums, instances), RatioFigure(largest, ones)}};
  }
};

}  // namespace

std::unique_ptr<Command> MakeMasksCommand() { return std::make_unique<MasksCommand>(); }

}  // namespace objectdino
