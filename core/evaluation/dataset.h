// SPDX-License-Identifier: Apache-2.0
// Photographs with ground truth, for evaluation.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_EVALUATION_DATASET_H_
#define OBJECTDINO_CORE_EVALUATION_DATASET_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "core/base/patch_grid.h"
#include "core/evaluation/truth_mask.h"

namespace objectdino {

struct TruthObject {
  Box box;            // pixels of the upright image
  std::string label;  // the class: its name, or its number where the data set has no names
  std::optional<TruthMask> mask;
};

struct Sample {
  std::string name;  // file name of the image, without folder
  std::string image_path;
  std::vector<TruthObject> objects;  // never empty

  std::vector<Box> Boxes() const;
};

struct DatasetOptions {
  // KIND:PATH
  //   voc:FOLDER       FOLDER/Annotations/*.xml (or annotations), images in FOLDER/JPEGImages (or
  //                    images): a VOCdevkit/VOCyyyy folder. Pascal VOC counts pixels from 1 and
  //                    includes the last one, so a box becomes (xmin - 1, ymin - 1, xmax, ymax);
  //                    difficult objects count.
  //   coco:FILE.json   COCO instances; objects with iscrowd, and boxes without area, are left out.
  //   yolo:FOLDER      FOLDER/boxes/*.txt (or labels) with lines "class cx cy w h" in [0, 1],
  //   images
  //                    in FOLDER/images (or JPEGImages).
  //   yolo-seg:FOLDER  FOLDER/polygons/*.txt (or labels) with lines "class x y x y x y ..." in
  //                    [0, 1]: one polygon an object, its box is the polygon's bounds.
  std::string spec;
  std::string split;      // voc: only the images of FOLDER/ImageSets/Main/<split>.txt
  std::string images;     // coco: the folder of the images, required
  std::string image_ids;  // only the images that this file lists, one a line; see ImageList
  bool masks = true;      // coco: read the segmentations
};

// Samples, sorted by name; images without any object are left out. NOT_FOUND: a file or folder that
// is not there. INVALID_ARGUMENT: options that do not fit together; a malformed annotation, with
// its file and line (COCO: the element's place in the document).
absl::StatusOr<std::vector<Sample>> LoadDataset(const DatasetOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_DATASET_H_
