// SPDX-License-Identifier: Apache-2.0
// The last step of grounding, on request: the objects' masks at image resolution.
#ifndef OBJECTDINO_CORE_PIPELINE_PIXEL_MASKS_H_
#define OBJECTDINO_CORE_PIPELINE_PIXEL_MASKS_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "core/image/image.h"
#include "core/pipeline/ground_options.h"
#include "core/pipeline/grounding.h"

namespace objectdino {

// Fills pixel_mask of every object of `grounding`, which were found in `image`, as the options say.
// CANCELLED: `stop`, asked before every mask, said true. OUT_OF_RANGE: more bytes than
// options.max_mask_bytes. INTERNAL: the PNG encoder failed. Thread-safety: pure function. Cost:
// that of PixelMasker; holds one mask at a time.
absl::Status AddPixelMasks(const Image& image, const GroundOptions& options,
                           absl::FunctionRef<bool()> stop, Grounding& grounding);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_PIXEL_MASKS_H_
