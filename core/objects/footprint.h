// SPDX-License-Identifier: Apache-2.0
// What a claimed region covers of the patch grid, and what it is compared with.
//
//   region   around
//   box      a ring of 0.3 of the box's width and height to each side, cut off at the image's edge
//   mask     the same ring of its bounding box, and what the mask leaves of the box
//   patch    all other patches: a point claims no size
//
// Thread-safety: pure functions; a MaskBuilder belongs to one thread. Cost: O(N) a footprint; a
// mask O(runs + width * rows), and no memory at the image's resolution.
#ifndef OBJECTDINO_CORE_OBJECTS_FOOTPRINT_H_
#define OBJECTDINO_CORE_OBJECTS_FOOTPRINT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/patch_grid.h"
#include "core/objects/regions.h"

namespace objectdino {

struct Footprint {
  std::vector<double> inside;  // [rows, cols] in [0, 1]: the share of each patch that is covered
  std::vector<double> around;  // [rows, cols] in [0, 1]; all 0 where nothing is left of it
  Box box;                     // bounds of the region, in pixels
};

// What lies off the image is not looked at: a box off it covers nothing.
Footprint BoxFootprint(const Box& box, const PatchGrid& grid, ImageSize image);

Footprint PatchFootprint(int patch, const PatchGrid& grid, ImageSize image);

// The patch that `point` falls in; of points outside of the image the nearest one.
int PatchAt(const Point& point, const PatchGrid& grid, ImageSize image);

// A mask at image resolution, as far as the grid can tell.
struct MaskShares {
  std::vector<float> inside;  // [rows, cols] in [0, 1]: the share of each patch that is covered
  Box box;                    // bounds of the mask
};

Footprint MaskFootprint(const MaskShares& mask, const PatchGrid& grid, ImageSize image);

// Makes MaskShares of the runs of a mask.
class MaskBuilder {
 public:
  MaskBuilder(const PatchGrid& grid, ImageSize image);

  // Pixels [begin, end), counted down the columns: x * height + y. REQUIRES: 0 <= begin <= end <=
  // height * width, and begin not below the last end.
  void AddRun(int64_t begin, int64_t end);

  // None for a mask without pixels. Call once, at the end.
  std::optional<MaskShares> Build();

 private:
  void AddRows(int x, int begin, int end);
  void FinishColumn();

  const PatchGrid grid_;
  const ImageSize image_;
  std::vector<double> inside_;  // [rows, cols]
  std::vector<double> column_;  // [rows]: what column x_ of the image covers of each row of patches
  int x_ = 0;
  int left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;  // bounds, half open; right_ = 0: none yet
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_FOOTPRINT_H_
