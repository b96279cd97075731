// SPDX-License-Identifier: Apache-2.0
// CorLoc: how often the one best box is right.
// Thread-safety: pure functions; PredictBoxes makes its own threads.
#ifndef OBJECTDINO_CORE_EVALUATION_CORLOC_H_
#define OBJECTDINO_CORE_EVALUATION_CORLOC_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/evaluation/dataset.h"
#include "core/pipeline/grounder.h"

namespace objectdino {

// Over n images, of each image's best IoU between its one predicted box and any ground-truth box.
struct CorLoc {
  int n = 0;
  double corloc = 0;    // percent of images with IoU >= 0.5
  double mean_iou = 0;  // [0, 1]
  double iou70 = 0;     // percent of images with IoU >= 0.7
};

CorLoc SummarizeIous(absl::Span<const double> ious);

// Largest IoU of `box` with any of `truth`.
double BestIou(const Box& box, absl::Span<const Box> truth);

struct Prediction {
  std::string name;  // of the sample
  ImageSize image;
  Box box;  // the first object's, or the whole image where no object was found
  bool found = false;
  double iou = 0;
};

// Grounds every sample on `lanes` threads; predictions in the order of the samples. `progress` is
// called with the number of images done, from any of the threads, one call at a time. A truncated
// image is decoded as far as it goes. Returns the first error, with the image's name.
absl::StatusOr<std::vector<Prediction>> PredictBoxes(const Grounder& grounder,
                                                     absl::Span<const Sample> samples,
                                                     const GroundOptions& options, int lanes,
                                                     const std::function<void(int)>& progress);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_CORLOC_H_
