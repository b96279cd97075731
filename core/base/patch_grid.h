// SPDX-License-Identifier: Apache-2.0
// The grid of patches that a vision transformer sees, and boxes in the pixels of the original
// image.
//
// Patches are numbered row-major: index = row * cols + col. The original image is squeezed onto the
// grid (each axis by itself), so pixel_from_grid is a scale per axis: x = col * width / cols, y =
// row * height / rows. Thread-safety: plain values.
#ifndef OBJECTDINO_CORE_BASE_PATCH_GRID_H_
#define OBJECTDINO_CORE_BASE_PATCH_GRID_H_

namespace objectdino {

struct ImageSize {
  int height = 0;
  int width = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

struct PatchGrid {
  int rows = 0;
  int cols = 0;
  int patch_size = 0;  // side of a patch in pixels of the network's input

  int size() const { return rows * cols; }
  int input_height() const { return rows * patch_size; }
  int input_width() const { return cols * patch_size; }
  friend bool operator==(const PatchGrid&, const PatchGrid&) = default;
};

// Pixels of the original (oriented) image, x to the right, y down, half open: x1 <= x < x2. Always
// x1 < x2, y1 < y2, and inside the image.
struct Box {
  float x1 = 0;
  float y1 = 0;
  float x2 = 0;
  float y2 = 0;
  friend bool operator==(const Box&, const Box&) = default;
};

// Intersection over union in [0, 1]; 0 when the boxes do not overlap.
inline double BoxIou(const Box& a, const Box& b) {
  const double w = (a.x2 < b.x2 ? a.x2 : b.x2) - (a.x1 > b.x1 ? a.x1 : b.x1);
  const double h = (a.y2 < b.y2 ? a.y2 : b.y2) - (a.y1 > b.y1 ? a.y1 : b.y1);
  if (w <= 0 || h <= 0) return 0;
  const double intersection = w * h;
  const double area_a = double{a.x2 - a.x1} * double{a.y2 - a.y1};
  const double area_b = double{b.x2 - b.x1} * double{b.y2 - b.y1};
  return intersection / (area_a + area_b - intersection);
}

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_BASE_PATCH_GRID_H_
