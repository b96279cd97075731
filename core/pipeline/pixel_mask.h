// SPDX-License-Identifier: Apache-2.0
// An object's mask at the resolution of the image: the one place where it is made, for the answer
// on the wire and for the evaluation alike.
// Thread-safety: pure function. Cost: O(height * width).
#ifndef OBJECTDINO_CORE_PIPELINE_PIXEL_MASK_H_
#define OBJECTDINO_CORE_PIPELINE_PIXEL_MASK_H_

#include <cstdint>
#include <vector>

#include "core/pipeline/grounding.h"

namespace objectdino {

// [height, width] of grounding.image, values 0 and 1. `object` is one of grounding.objects.
std::vector<uint8_t> PixelMask(const GroundedObject& object, const Grounding& grounding);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_PIXEL_MASK_H_
