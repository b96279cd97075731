// SPDX-License-Identifier: Apache-2.0
// Untrusted bytes to an upright 8-bit RGB image.
//
// The size is read from the header and checked before any pixel memory is taken. Gray, palette,
// alpha, 16-bit and CMYK images all become 8-bit RGB: alpha is dropped (not blended), 16-bit keeps
// the high byte, as Pillow's convert("RGB") does for 8-bit sources. Of an animated PNG the first
// frame is taken; animated WebP and GIF are not supported.
//
// Thread-safety: pure function. Cost: memory of two RGB images, about four
// for a progressive JPEG; time of the codec. OpenCV's
// exceptions end here.
#ifndef OBJECTDINO_CORE_IMAGE_DECODE_H_
#define OBJECTDINO_CORE_IMAGE_DECODE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/image/header.h"
#include "core/image/image.h"

namespace objectdino {

struct DecodeOptions {
  int64_t max_pixels = 50'000'000;  // height * width
  int max_dimension = 16'384;       // either side
  bool apply_orientation = true;    // EXIF
  // Decode what is there of a JPEG that is cut short; the rest is gray. Of PNG and WebP files the
  // codecs decode only whole ones.
  bool allow_truncated = false;
};

struct DecodedImage {
  Image image;                  // upright where apply_orientation
  int applied_orientation = 1;  // the EXIF orientation that was undone, 1 = none
  ImageFormat format = ImageFormat::kJpeg;
  bool animated = false;  // only the first frame was decoded
};

// Payload of the INVALID_ARGUMENT status (absl::Status::GetPayload) when a limit of DecodeOptions
// is passed.
inline constexpr char kImageTooLargePayload[] = "objectdino/IMAGE_TOO_LARGE";

// All that DecodeImage refuses by the header alone: limits, files cut short, animated WebP.
absl::Status CheckImageHeader(const ImageHeader& header, const DecodeOptions& options);

// INVALID_ARGUMENT: everything that is not a decodable image within the limits; the message names
// the reason, and the limit and the value where a limit is passed. RESOURCE_EXHAUSTED: no memory
// for the pixels.
absl::StatusOr<DecodedImage> DecodeImage(absl::string_view bytes, const DecodeOptions& options);

// How many threads OpenCV may use in one call, for the whole process. Call once from main: a server
// computes on lanes, and hidden threads below them only get in their way.
void SetImageThreads(int threads);

// Undoes EXIF orientation 1 .. 8 (TIFF 6.0, tag 274), so that row 0 is the visual top.
Image ApplyExifOrientation(const Image& stored, int orientation);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_IMAGE_DECODE_H_
