// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "tools/eval/command.h"

#include "core/evaluation/corloc.h"
#include "core/evaluation/recall.h"

namespace objectdino {
namespace {

constexpr size_t kDepths[] = {1, 3, 10};  // predictions that are looked at

class RecallCommand : public Command {
 public:
  absl::StatusOr<ImageRecord> Measure(const Sample&, const Answer& answer,
                                      CheckBoxes) const override {
    return RecordBoxes(answer);
  }

  Table Columns() const override {
    Table table{{{"n", "n"}, {"boxes", "boxes"}}, {}, {}};
    for (const size_t k : kDepths) {
      table.figures.push_back({absl::StrCat("recall_", k), absl::StrCat("recall@", k), 1});
    }
    for (const size_t k : kDepths) {
      table.figures.push_back({absl::StrCat("ar_", k), absl::StrCat("AR@", k), 1});
    }
    return table;
  }

  TableRow Summarize(absl::Span<const Sample> samples, absl::Span<const ImageRecord> records,
                     Subject subject) const override {
    std::vector<double> boxes;
    for (const Sample& sample : samples) {
      boxes.push_back(static_cast<double>(sample.objects.size()));
    }
    TableRow row{"",
                 {static_cast<int>(samples.size()),
                  static_cast<int>(std::accumulate(boxes.begin(), boxes.end(), 0.0))},
                 {}};
    std::vector<Figure> averages;
    for (const size_t k : kDepths) {
      std::vector<double> at_half;
      std::vector<double> average;
      for (size_t i = 0; i < records.size(); ++i) {
        std::vector<Box> predictions = {FirstBox(records[i], subject)};
        if (subject == Subject::kMethod) predictions = records[i].boxes;
        predictions.resize(std::min(predictions.size(), k));
        const auto found = CountFound(predictions, samples[i].Boxes());
        at_half.push_back(found[0]);
        average.push_back(std::accumulate(found.begin(), found.end(), 0.0) / kRecallThresholds);
      }
      row.figures.push_back(RatioFigure(at_half, boxes, 100));
      averages.push_back(RatioFigure(average, boxes, 100));
    }
    row.figures.insert(row.figures.end(), averages.begin(), averages.end());
    return row;
  }
};

}  // namespace

std::unique_ptr<Command> MakeRecallCommand() { return std::make_unique<RecallCommand>(); }

}  // namespace objectdino
