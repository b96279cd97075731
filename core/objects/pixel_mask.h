// SPDX-License-Identifier: Apache-2.0
// Masks at image resolution from masks on the patch grid.
//
// kNone: a pixel belongs to the patch that its centre falls in, exactly.
// kEdgeAware: the border moves to edges of the image within about a patch, in five steps, on the
// image shrunk to kMaskWorkingSide:
//   1. the exact mask, smoothed by a guided filter whose windows reach one patch to each side;
//   2. cut at one half, inside the object's patches and their neighbours (eight each), of which
//      those that are also neighbours of another object belong to nobody;
//   3. pieces and holes smaller than a patch go, the largest piece stays;
//   4. when the result has an intersection over union below kMaskAgreement with the exact mask, or
//      the image is one flat colour, the exact mask is the answer;
//   5. brought to the image's size bilinearly, and cut again as in 2.
// So the masks of two objects without a common patch have no common pixel. docs/masks.md holds the
// measurements behind each choice.
//
//   const PixelMasker masker(rgb, {height, width}, grid, MaskRefinement::kEdgeAware);
//   const std::vector<uint8_t> mask = masker.Mask(object.mask, mask_of_all_other_objects);
//
// Thread-safety: Mask is const and may run concurrently. Cost: a masker O(rgb), a mask O(height *
// width) bytes and steps, both with a small factor, plus 4 to 7 ms each for the filter.
#ifndef OBJECTDINO_CORE_OBJECTS_PIXEL_MASK_H_
#define OBJECTDINO_CORE_OBJECTS_PIXEL_MASK_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

enum class MaskRefinement { kNone, kEdgeAware };

inline constexpr int kMaskWorkingSide = 320;   // pixels of the longer side, at most
inline constexpr double kMaskAgreement = 0.5;  // TokenCut's rule for its bilateral solver

// [height, width] of 0 and 1: the exact mask. `mask` is [rows, cols], non-zero = inside.
std::vector<uint8_t> UpsampleMask(absl::Span<const uint8_t> mask, const PatchGrid& grid,
                                  ImageSize image);

// What the masks of one image share.
class PixelMasker {
 public:
  // `rgb` is [height, width, 3], of which nothing is kept. REQUIRES: at least one pixel, one patch.
  PixelMasker(absl::Span<const uint8_t> rgb, ImageSize image, const PatchGrid& grid,
              MaskRefinement refinement);
  ~PixelMasker();

  // [height, width] of 0 and 1. Both arguments are [rows, cols], non-zero = inside: the object, and
  // the patches that any other object holds (which may be some of this one's, too).
  std::vector<uint8_t> Mask(absl::Span<const uint8_t> object,
                            absl::Span<const uint8_t> others) const;

 private:
  struct Refiner;
  const ImageSize image_;
  const PatchGrid grid_;
  std::unique_ptr<const Refiner> refiner_;  // none: masks are exact
};

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_PIXEL_MASK_H_
