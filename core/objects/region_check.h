// SPDX-License-Identifier: Apache-2.0
// How much a claimed region looks like an object (defaults.md section 3).
//
//   rule = mean n inside - mean n around    (around: see footprint.h; the whole image's mean where
//                                           nothing is left of it)
//        + mean l inside - mean l outside   (l: log CLS attention, min-max scaled)
//
// n is the objectness map. Means weigh each patch by the share of it that is covered. The rule lies
// in [-2, 2]; from kLooksLikeObject on a region looks like an object.
//
//   const RegionCheck check(grounding.objectness, grounding.cls_attention);
//   check.Read(BoxFootprint(box, grounding.grid, grounding.image)).rule();
//
// Thread-safety: const after construction. Cost: O(N) a region.
#ifndef OBJECTDINO_CORE_OBJECTS_REGION_CHECK_H_
#define OBJECTDINO_CORE_OBJECTS_REGION_CHECK_H_

#include <vector>

#include "absl/types/span.h"

#include "core/objects/footprint.h"

namespace objectdino {

inline constexpr double kLooksLikeObject = 0.15;

// All in [0, 1].
struct RegionReading {
  double objectness_inside = 0;
  double objectness_around = 0;
  double attention_inside = 0;
  double attention_outside = 0;

  double rule() const {
    return objectness_inside - objectness_around + attention_inside - attention_outside;
  }
};

// The rule in (0, 1), rising: a logistic function that is 0.5 at kLooksLikeObject.
double ScoreOfRule(double rule);

class RegionCheck {
 public:
  // `objectness` in [0, 1] and `cls_attention`, not negative: [rows, cols], at least one patch.
  RegionCheck(absl::Span<const float> objectness, absl::Span<const float> cls_attention);

  // `region` is of the same grid. One that covers nothing reads as 0 inside.
  RegionReading Read(const Footprint& region) const;

 private:
  std::vector<double> objectness_;     // [rows, cols]
  std::vector<double> log_attention_;  // [rows, cols] in [0, 1]
  double mean_objectness_ = 0;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_REGION_CHECK_H_
