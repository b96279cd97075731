// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/record.h"

#include <algorithm>
#include <cstddef>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "core/evaluation/corloc.h"
#include "core/evaluation/moved_boxes.h"

namespace objectdino {
namespace {

std::vector<uint8_t> MaskOfBox(const Box& box, ImageSize image) {
  TruthMask mask;
  mask.polygons = {{{box.x1, box.y1}, {box.x2, box.y1}, {box.x2, box.y2}, {box.x1, box.y2}}};
  return *RasterizeMask(mask, image);  // fails for run lengths only
}

}  // namespace

ImageRecord RecordBoxes(const Answer& answer) {
  ImageRecord record;
  record.image = answer.grounding.image;
  for (const GroundedObject& object : answer.grounding.objects) record.boxes.push_back(object.box);
  return record;
}

absl::StatusOr<ImageRecord> RecordMasks(const Sample& sample, const Answer& answer) {
  ImageRecord record = RecordBoxes(answer);
  const std::vector<uint8_t> whole = MaskOfBox(WholeBox(record.image), record.image);
  const std::vector<uint8_t> centre = MaskOfBox(CentreBox(record.image), record.image);
  std::ptrdiff_t largest_area = -1;
  for (size_t i = 0; i < sample.objects.size(); ++i) {
    if (!sample.objects[i].mask) {
      return absl::InvalidArgumentError(absl::StrCat("object ", i + 1, " has no mask"));
    }
    OBJECTDINO_ASSIGN_OR_RETURN(const std::vector<uint8_t> truth,
                                RasterizeMask(*sample.objects[i].mask, record.image));
    const std::ptrdiff_t area = absl::c_count(truth, 1);
    if (area > largest_area) {
      largest_area = area;
      record.masks.largest = static_cast<int>(i);
    }
    double best = 0;
    for (const auto& mask : answer.pixel_masks) best = std::max(best, MaskIou(mask, truth));
    record.masks.best.push_back(best);
    record.masks.whole.push_back(MaskIou(whole, truth));
    record.masks.centre.push_back(MaskIou(centre, truth));
  }
  return record;
}

absl::StatusOr<ImageRecord> RecordVerify(const Sample& sample, const Answer& answer,
                                         CheckBoxes check) {
  ImageRecord record = RecordBoxes(answer);
  const std::vector<Box> truth = sample.Boxes();
  const std::vector<std::vector<Box>> moved = MovedBoxes(truth, record.image, sample.name);
  std::vector<Box> boxes;  // a true one, then its moved ones
  for (size_t i = 0; i < truth.size(); ++i) {
    if (moved[i].empty()) continue;
    boxes.push_back(truth[i]);
    boxes.insert(boxes.end(), moved[i].begin(), moved[i].end());
  }
  OBJECTDINO_ASSIGN_OR_RETURN(const std::vector<double> rules, check(boxes));
  auto rule = rules.begin();
  for (const std::vector<Box>& places : moved) {
    if (places.empty()) continue;
    record.verify.true_scores.push_back(*rule++);
    const auto end = rule + static_cast<std::ptrdiff_t>(places.size());
    record.verify.moved_scores.insert(record.verify.moved_scores.end(), rule, end);
    rule = end;
  }
  return record;
}

}  // namespace objectdino
