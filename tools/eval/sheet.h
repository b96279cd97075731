// SPDX-License-Identifier: Apache-2.0
// A contact sheet: many photographs on one picture, with ground truth, predictions and figures.
// Thread-safety: pure functions. Cost: O(pixels of the photographs and of the sheet).
#ifndef OBJECTDINO_TOOLS_EVAL_SHEET_H_
#define OBJECTDINO_TOOLS_EVAL_SHEET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/image/image.h"

namespace objectdino {

struct Tile {
  Image photo;
  std::vector<Box> truth;
  std::vector<Box> predicted;  // best first
  std::vector<uint8_t> mask;   // [height, width] of the first predicted object; may be empty
  double iou = 0;              // of the first predicted box
  std::string method;
  std::string name;
};

// The tiles in rows, under one line that says `title` and what the colours mean. INTERNAL: it
// cannot be drawn. REQUIRES: at least one tile.
absl::StatusOr<Image> DrawSheet(const std::string& title, absl::Span<const Tile> tiles);

// Which images go on a sheet: the best half of `count` by IoU, best first, then the worst half,
// worst first; each image once.
std::vector<size_t> BestAndWorst(absl::Span<const double> ious, size_t count);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_EVAL_SHEET_H_
