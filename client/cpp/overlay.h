// SPDX-License-Identifier: Apache-2.0
// The picture of an answer: objectness tint, mask outlines, boxes, anchors, scores.
//
// Drawn at the size of the upright image. Tint: red where objectness > 0.5, its opacity rising from
// 0 to 0.6 at objectness 1; all other pixels stay as they are, but for the lines on them. The map
// is upsampled bilinearly; outlines are those of the pixel masks where the answer has them, else of
// the patch masks, smoothed, for these know patches only. Everything is drawn inside the image.
// Lines and text grow with it; a label for which there is no room, beside those
// of better objects, is left out. What the answer lacks is not drawn.
//
// Thread-safety: pure functions. Cost: O(pixels), plus about a million steps an object.
#ifndef OBJECTDINO_CLIENT_CPP_OVERLAY_H_
#define OBJECTDINO_CLIENT_CPP_OVERLAY_H_

#include <string>

#include "absl/status/statusor.h"

#include "core/image/image.h"
#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

inline constexpr float kTintThreshold = 0.5F;
inline constexpr float kTintMaxOpacity = 0.6F;

// `image`: upright, the one that was grounded. INVALID_ARGUMENT: its size is not the answer's, or
// the answer contradicts itself (a map or mask that does not fit its grid, a box off the image).
absl::StatusOr<Image> DrawOverlay(const Image& image, const v1::GroundResponse& response);

// REQUIRES: image.rgb.size() == height * width * 3. INTERNAL: the encoder failed.
absl::StatusOr<std::string> EncodePng(const Image& image);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_OVERLAY_H_
