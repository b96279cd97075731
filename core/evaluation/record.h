// SPDX-License-Identifier: Apache-2.0
// What one method gave for one image: all that the figures are later made of.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_EVALUATION_RECORD_H_
#define OBJECTDINO_CORE_EVALUATION_RECORD_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/evaluation/dataset.h"
#include "core/pipeline/grounding.h"

namespace objectdino {

struct Answer {
  Grounding grounding;
  // Of each object, [height, width] of the image; only where masks were asked for.
  std::vector<std::vector<uint8_t>> pixel_masks;
};

// IoUs of one image's ground-truth masks.
struct MaskRecord {
  std::vector<double> best;    // each with the predicted mask that fits it best; 0 without any
  std::vector<double> whole;   // each with the whole image
  std::vector<double> centre;  // each with CentreBox
  int largest = 0;             // the one with the largest area, the first of equals
};

// RegionReading::rule of boxes. A true box that has no legal other place is left out.
struct VerifyRecord {
  std::vector<double> true_scores;
  std::vector<double> moved_scores;
};

struct ImageRecord {
  ImageSize image;
  std::vector<Box> boxes;  // of the objects, best first; those of GroundOptions::max_objects
  MaskRecord masks;        // command masks
  VerifyRecord verify;     // command verify
};

ImageRecord RecordBoxes(const Answer& answer);

// INVALID_ARGUMENT: an object without a mask, or a mask that does not fit the image.
absl::StatusOr<ImageRecord> RecordMasks(const Sample& sample, const Answer& answer);

// The rule of each box (core/objects/region_check.h), in their order.
using CheckBoxes = absl::FunctionRef<absl::StatusOr<std::vector<double>>(absl::Span<const Box>)>;

// Places as MovedBoxes gives them; `check` is asked once. Errors: those of `check`.
absl::StatusOr<ImageRecord> RecordVerify(const Sample& sample, const Answer& answer,
                                         CheckBoxes check);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_RECORD_H_
