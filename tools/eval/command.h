// SPDX-License-Identifier: Apache-2.0
// The four questions that an evaluation answers. Each measures images one by one, and then makes a
// row of figures of all the records of a method.
// Thread-safety: const after construction.
#ifndef OBJECTDINO_TOOLS_EVAL_COMMAND_H_
#define OBJECTDINO_TOOLS_EVAL_COMMAND_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/eval/table.h"

#include "core/evaluation/dataset.h"
#include "core/evaluation/record.h"

namespace objectdino {

// Whose boxes, masks or scores a row is about: a method's, or a trivial answer's.
enum class Subject { kMethod, kWholeImage, kCentreBox };

class Command {
 public:
  virtual ~Command() = default;

  virtual bool needs_masks() const { return false; }  // ground truth and answers

  // `check` is of the same image and options as `answer`.
  virtual absl::StatusOr<ImageRecord> Measure(const Sample& sample, const Answer& answer,
                                              CheckBoxes check) const = 0;

  // A table with columns and without rows.
  virtual Table Columns() const = 0;

  // `records` are of `samples`, in their order. Subjects other than the method are the same for the
  // records of every method.
  virtual TableRow Summarize(absl::Span<const Sample> samples,
                             absl::Span<const ImageRecord> records, Subject subject) const = 0;
};

std::unique_ptr<Command> MakeCorLocCommand();
std::unique_ptr<Command> MakeRecallCommand();
std::unique_ptr<Command> MakeMasksCommand();
std::unique_ptr<Command> MakeVerifyCommand();

// The box that `subject` gives an image as its first: the method's own, the whole image where it
// found nothing.
Box FirstBox(const ImageRecord& record, Subject subject);

// 100 * sum(values) / sum(weights) (with `scale` 100), with the interval over images.
Figure RatioFigure(const std::vector<double>& values, const std::vector<double>& weights,
                   double scale = 1);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_EVAL_COMMAND_H_
