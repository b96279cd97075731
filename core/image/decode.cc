// SPDX-License-Identifier: Apache-2.0
#include "core/image/decode.h"

#include <limits>
#include <new>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "opencv2/core.hpp"
#include "opencv2/imgcodecs.hpp"
#include "opencv2/imgproc.hpp"

#include "core/base/status_macros.h"
#include "core/image/byte_order.h"

namespace objectdino {
namespace {

absl::Status TooLarge(ImageSize size, int64_t limit, absl::string_view unit) {
  absl::Status status = absl::InvalidArgumentError(
      absl::StrCat("image is ", size.height, " x ", size.width,
                   " pixels (height x width), the limit is ", limit, unit));
  status.SetPayload(kImageTooLargePayload, absl::Cord(absl::StrCat(limit)));
  return status;
}

absl::Status NoMemory() {
  return absl::ResourceExhaustedError("there is no memory to decode the image");
}

Image EmptyImage(int height, int width) {
  return {height, width, std::vector<uint8_t>(size_t{3} * height * width)};
}

// A view, valid as long as the image.
cv::Mat AsMat(Image& image) { return {image.height, image.width, CV_8UC3, image.rgb.data()}; }

// OpenCV only reads through it.
cv::Mat AsMat(const Image& image) { return AsMat(const_cast<Image&>(image)); }

// OpenCV chooses the codec by itself. Where its WebP codec refuses the first bytes, it goes on to
// formats known by bytes further in: DICOM, whose library aborts on malformed files, and DTED.
bool CouldReachOtherCodecs(absl::string_view bytes) {
  return absl::ClippedSubstr(bytes, 128, 4) == "DICM" ||
         absl::ClippedSubstr(bytes, 140, 4) == "DTED";
}

// A PNG without what its pixels do not depend on: critical chunks and tRNS, whole ones. libpng
// would unpack compressed texts too, eight megabytes out of eight kilobytes each, in 35 ms.
// REQUIRES: a PNG signature.
std::string PixelChunks(absl::string_view png) {
  constexpr size_t kSignature = 8;
  constexpr size_t kFrame = 12;  // length 4, type 4, CRC 4
  std::string kept(png.substr(0, kSignature));
  png.remove_prefix(kSignature);
  while (png.size() >= kFrame) {
    const size_t length = BigEndian(png.substr(0, 4));
    if (length > png.size() - kFrame) break;
    const absl::string_view type = png.substr(4, 4);
    const bool critical = (type[0] & 0x20) == 0;
    if (critical || type == "tRNS") {
      absl::StrAppend(&kept, png.substr(0, kFrame + length));
    }
    png.remove_prefix(kFrame + length);
  }
  return kept;
}

// The image as stored. Throws cv::Exception.
absl::StatusOr<Image> DecodeStored(absl::string_view bytes, const ImageHeader& header) {
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  const cv::Mat bgr = cv::imdecode(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  if (bgr.empty() || bgr.type() != CV_8UC3 || bgr.rows != header.stored_size.height ||
      bgr.cols != header.stored_size.width) {
    return absl::InvalidArgumentError(absl::StrCat("this ", ImageFormatName(header.format),
                                                   " image does not decode",
                                                   header.complete ? "" : ": it is cut short"));
  }
  Image image = EmptyImage(bgr.rows, bgr.cols);
  cv::cvtColor(bgr, AsMat(image), cv::COLOR_BGR2RGB);
  return image;
}

}  // namespace

absl::Status CheckImageHeader(const ImageHeader& header, const DecodeOptions& options) {
  const ImageSize size = header.stored_size;
  if (int64_t{size.height} * size.width > options.max_pixels) {
    return TooLarge(size, options.max_pixels, " pixels");
  }
  if (size.height > options.max_dimension || size.width > options.max_dimension) {
    return TooLarge(size, options.max_dimension, " pixels a side");
  }
  if (header.animated && header.format == ImageFormat::kWebp) {
    return absl::InvalidArgumentError("animated WebP is not supported");
  }
  if (!header.complete && !options.allow_truncated) {
    return absl::InvalidArgumentError(
        absl::StrCat("this ", ImageFormatName(header.format), " file is cut short"));
  }
  return absl::OkStatus();
}

absl::StatusOr<DecodedImage> DecodeImage(absl::string_view bytes, const DecodeOptions& options) {
  OBJECTDINO_ASSIGN_OR_RETURN(const ImageHeader header, ReadImageHeader(bytes));
  OBJECTDINO_RETURN_IF_ERROR(CheckImageHeader(header, options));
  DecodedImage decoded;
  decoded.format = header.format;
  decoded.animated = header.animated;
  try {
    std::string chunks;  // what `bytes` are, of a PNG
    if (header.format == ImageFormat::kPng) bytes = chunks = PixelChunks(bytes);
    if (CouldReachOtherCodecs(bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("this ", ImageFormatName(header.format), " file is also of another format"));
    }
    if (bytes.size() > size_t{std::numeric_limits<int>::max()}) {  // OpenCV counts bytes in an int
      return absl::InvalidArgumentError(absl::StrCat("the file has ", bytes.size(), " bytes"));
    }
    OBJECTDINO_ASSIGN_OR_RETURN(decoded.image, DecodeStored(bytes, header));
    if (options.apply_orientation && header.exif_orientation != 1) {
      decoded.image = ApplyExifOrientation(decoded.image, header.exif_orientation);
      decoded.applied_orientation = header.exif_orientation;
    }
  } catch (const cv::Exception& e) {
    if (e.code == cv::Error::StsNoMem) return NoMemory();
    return absl::InvalidArgumentError(
        absl::StrCat("this ", ImageFormatName(header.format), " image does not decode: ", e.err));
  } catch (const std::bad_alloc&) {
    return NoMemory();
  }
  return decoded;
}

void SetImageThreads(int threads) { cv::setNumThreads(threads); }

Image ApplyExifOrientation(const Image& stored, int orientation) {
  if (orientation < 2 || orientation > 8) return stored;
  const bool turned = orientation >= 5;
  Image upright =
      turned ? EmptyImage(stored.width, stored.height) : EmptyImage(stored.height, stored.width);
  const cv::Mat from = AsMat(stored);
  cv::Mat to = AsMat(upright);
  if (turned) cv::transpose(from, to);  // orientation 5; the others are it, mirrored
  const cv::Mat& source = turned ? to : from;
  constexpr int kUpDown = 0, kLeftRight = 1, kBoth = -1;
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(source, to, kLeftRight);
      break;
    case 3:
    case 7:
      cv::flip(source, to, kBoth);
      break;
    case 4:
    case 8:
      cv::flip(source, to, kUpDown);
      break;
    default:
      break;
  }
  return upright;
}

}  // namespace objectdino
