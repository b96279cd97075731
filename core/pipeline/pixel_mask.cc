// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/pixel_mask.h"

#include "core/objects/pixel_mask.h"

namespace objectdino {

std::vector<uint8_t> PixelMask(const GroundedObject& object, const Grounding& grounding) {
  return UpsampleMask(object.mask, grounding.grid, grounding.image);
}

}  // namespace objectdino
