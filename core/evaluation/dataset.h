// SPDX-License-Identifier: Apache-2.0
// Photographs with ground-truth boxes, for evaluation.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_EVALUATION_DATASET_H_
#define OBJECTDINO_CORE_EVALUATION_DATASET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/base/patch_grid.h"

namespace objectdino {

struct Sample {
  std::string name;  // file name of the image, without folder
  std::string image_path;
  std::vector<Box> boxes;  // pixels, never empty
};

// `spec` is KIND:FOLDER. Samples are sorted by name; images without any box are left out.
//   voc:FOLDER   FOLDER/annotations/*.xml (or Annotations), images in FOLDER/images (or
//   JPEGImages). Pascal VOC counts
//                pixels from 1 and includes the last one, so a box becomes (xmin - 1, ymin - 1,
//                xmax, ymax); difficult objects count.
//   yolo:FOLDER  FOLDER/boxes/*.txt (or labels) with lines "class cx cy w h" in [0, 1], images in
//   FOLDER/images.
// NOT_FOUND for a missing folder, INVALID_ARGUMENT (with file and line) for a malformed annotation.
absl::StatusOr<std::vector<Sample>> LoadDataset(absl::string_view spec);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_DATASET_H_
