// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/pixel_masks.h"

#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"
#include "core/image/mask_png.h"
#include "core/math/rle.h"
#include "core/objects/pixel_mask.h"

namespace objectdino {
namespace {

// [rows, cols]: the patches of all objects but `object`.
std::vector<uint8_t> PatchesOfOthers(const Grounding& grounding, const GroundedObject& object) {
  std::vector<uint8_t> patches(object.mask.size(), 0);
  for (const GroundedObject& other : grounding.objects) {
    if (&other == &object) continue;
    for (size_t i = 0; i < patches.size(); ++i) patches[i] |= other.mask[i];
  }
  return patches;
}

}  // namespace

absl::Status AddPixelMasks(const Image& image, const GroundOptions& options,
                           absl::FunctionRef<bool()> stop, Grounding& grounding) {
  if (grounding.objects.empty()) return absl::OkStatus();
  const PixelMasker masker(image.rgb, image.size(), grounding.grid, options.mask_refinement);
  int64_t bytes = 0;
  for (GroundedObject& object : grounding.objects) {
    if (stop()) return absl::CancelledError("stopped between two masks");
    const std::vector<uint8_t> mask =
        masker.Mask(object.mask, PatchesOfOthers(grounding, object));  // [height, width]
    if (options.mask_format == MaskFormat::kPng) {
      OBJECTDINO_ASSIGN_OR_RETURN(object.pixel_mask, EncodeMaskPng(mask, image.size()));
    } else {
      object.pixel_mask = EncodeCocoRle(mask, image.height, image.width);
    }
    bytes += static_cast<int64_t>(object.pixel_mask.size());
    if (bytes > options.max_mask_bytes) {
      return absl::OutOfRangeError(
          absl::StrCat("the pixel masks are more than ", options.max_mask_bytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

}  // namespace objectdino
