// SPDX-License-Identifier: Apache-2.0
#include "core/objects/pixel_mask.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "opencv2/core.hpp"
#include "opencv2/imgproc.hpp"

#include "core/base/status_macros.h"
#include "core/objects/guided_filter.h"

namespace objectdino {
namespace {

constexpr int kFlatContrast = 2;         // of 255: below this an image is one flat colour
constexpr float kInside = 0.5F + 1e-5F;  // a tie is outside, however it was rounded

// For an axis of `pixels` and `patches`: the patch that each pixel's centre falls in, exactly:
// floor((i + 0.5) * patches / pixels).
std::vector<size_t> PatchOfPixel(int pixels, int patches) {
  std::vector<size_t> result(static_cast<size_t>(pixels));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = (2 * i + 1) * static_cast<size_t>(patches) / (2 * static_cast<size_t>(pixels));
  }
  return result;
}

// Two neighbours of an axis and the second one's weight.
struct Sample {
  int first = 0;
  int second = 0;
  float weight = 0;
};

// Bilinear sampling of `from` values at the centres of `to` pixels.
std::vector<Sample> SampleAxis(int to, int from) {
  std::vector<Sample> samples(static_cast<size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double position = std::clamp((i + 0.5) * from / to - 0.5, 0.0, from - 1.0);
    const int first = static_cast<int>(position);
    samples[i] = {first, std::min(first + 1, from - 1), static_cast<float>(position - first)};
  }
  return samples;
}

ImageSize WorkingSize(ImageSize image) {
  const int longest = std::max(image.height, image.width);
  if (longest <= kMaskWorkingSide) return image;
  const double scale = double{kMaskWorkingSide} / longest;
  return {std::max(1, static_cast<int>(std::lround(image.height * scale))),
          std::max(1, static_cast<int>(std::lround(image.width * scale)))};
}

// [height, width, 3] of the working size; OpenCV only reads `rgb`.
cv::Mat3b Shrink(absl::Span<const uint8_t> rgb, ImageSize image, ImageSize size) {
  const cv::Mat3b full(image.height, image.width,
                       reinterpret_cast<cv::Vec3b*>(const_cast<uint8_t*>(rgb.data())));
  cv::Mat3b small;
  cv::resize(full, small, cv::Size(size.width, size.height), 0, 0, cv::INTER_AREA);
  return small;
}

bool IsFlat(const cv::Mat3b& image) {
  cv::Vec3b low(255, 255, 255);
  cv::Vec3b high(0, 0, 0);
  for (int y = 0; y < image.rows; ++y) {
    for (int x = 0; x < image.cols; ++x) {
      const cv::Vec3b& pixel = image(y, x);
      for (int c = 0; c < 3; ++c) {
        low[c] = std::min(low[c], pixel[c]);
        high[c] = std::max(high[c], pixel[c]);
      }
    }
  }
  return high[0] - low[0] < kFlatContrast && high[1] - low[1] < kFlatContrast &&
         high[2] - low[2] < kFlatContrast;
}

// Pixels that one patch spans, at least one.
int PatchSpan(int pixels, int patches) {
  return std::max(1, static_cast<int>(std::lround(double{1} * pixels / patches)));
}

// A patch of `mask` or one of its eight neighbours.
std::vector<uint8_t> Dilate(absl::Span<const uint8_t> mask, const PatchGrid& grid) {
  const cv::Mat1b in(grid.rows, grid.cols, const_cast<uint8_t*>(mask.data()));
  std::vector<uint8_t> result(mask.size());
  cv::Mat1b out(grid.rows, grid.cols, result.data());
  cv::dilate(in, out, cv::Mat());
  return result;
}

// [rows, cols]: the patches that the object's pixels may lie in.
std::vector<uint8_t> Territory(absl::Span<const uint8_t> object, absl::Span<const uint8_t> others,
                               const PatchGrid& grid) {
  std::vector<uint8_t> territory = Dilate(object, grid);
  const std::vector<uint8_t> taken = Dilate(others, grid);
  for (size_t i = 0; i < territory.size(); ++i) {
    territory[i] = object[i] != 0 || (territory[i] != 0 && taken[i] == 0) ? 1 : 0;
  }
  return territory;
}

// Sets 4-connected pieces of `value` smaller than `area` pixels to the other value.
void DropSmallPieces(uint8_t value, double area, bool keep_largest, cv::Mat1b& mask) {
  cv::Mat1i labels;
  cv::Mat1i stats;
  cv::Mat1d centroids;
  cv::connectedComponentsWithStats(mask == value, labels, stats, centroids, /*connectivity=*/4,
                                   CV_32S);
  int largest = 0;  // label 0 is the rest
  for (int label = 1; label < stats.rows; ++label) {
    if (largest == 0 || stats(label, cv::CC_STAT_AREA) > stats(largest, cv::CC_STAT_AREA)) {
      largest = label;
    }
  }
  for (int y = 0; y < mask.rows; ++y) {
    for (int x = 0; x < mask.cols; ++x) {
      const int label = labels(y, x);
      if (label == 0 || (keep_largest && label == largest)) continue;
      if (stats(label, cv::CC_STAT_AREA) < area) mask(y, x) = 1 - value;
    }
  }
}

double MaskIou(const std::vector<uint8_t>& a, const cv::Mat1b& b) {
  size_t both = 0;
  size_t either = 0;
  const uint8_t* other = b.ptr();
  for (const uint8_t value : a) {
    both += value & *other;
    either += value | *other;
    ++other;
  }
  return either == 0 ? 0 : static_cast<double>(both) / static_cast<double>(either);
}

}  // namespace

std::vector<uint8_t> UpsampleMask(absl::Span<const uint8_t> mask, const PatchGrid& grid,
                                  ImageSize image) {
  const std::vector<size_t> row_of = PatchOfPixel(image.height, grid.rows);
  const std::vector<size_t> col_of = PatchOfPixel(image.width, grid.cols);
  std::vector<uint8_t> pixels(row_of.size() * col_of.size());
  uint8_t* out = pixels.data();
  for (const size_t row : row_of) {
    const uint8_t* patches = mask.data() + row * static_cast<size_t>(grid.cols);
    for (const size_t col : col_of) *out++ = patches[col] != 0 ? 1 : 0;
  }
  return pixels;
}

// Refines at the working size.
struct PixelMasker::Refiner {
  ImageSize size;
  PatchGrid grid;
  GuidedFilter filter;

  // [height, width] of the working size, to be cut at one half; empty: keep the exact mask.
  std::vector<float> Refine(absl::Span<const uint8_t> object,
                            absl::Span<const uint8_t> territory) const {
    const std::vector<uint8_t> exact = UpsampleMask(object, grid, size);
    const std::vector<uint8_t> allowed = UpsampleMask(territory, grid, size);
    std::vector<float> soft = filter.Apply(std::vector<float>(exact.begin(), exact.end()));
    cv::Mat1b mask(size.height, size.width);
    const auto cut = [&](const auto& inside) {
      for (size_t i = 0; i < soft.size(); ++i) {
        mask.ptr()[i] = allowed[i] != 0 && inside(i) ? 1 : 0;
      }
    };
    cut([&](size_t i) { return soft[i] > kInside; });
    const double patch_area = double{1} * size.height * size.width / grid.size();
    DropSmallPieces(1, patch_area, /*keep_largest=*/true, mask);
    DropSmallPieces(0, patch_area, /*keep_largest=*/false, mask);
    cut([&](size_t i) { return mask.ptr()[i] != 0; });
    if (MaskIou(exact, mask) < kMaskAgreement) return {};
    for (size_t i = 0; i < soft.size(); ++i) {
      const bool inside = mask.ptr()[i] != 0;
      if (inside != (soft[i] > kInside)) soft[i] = inside ? 1 : 0;
      soft[i] = std::clamp(soft[i], 0.0F, 1.0F);
    }
    return soft;
  }
};

PixelMasker::PixelMasker(absl::Span<const uint8_t> rgb, ImageSize image, const PatchGrid& grid,
                         MaskRefinement refinement)
    : image_(image), grid_(grid) {
  OBJECTDINO_CHECK(image.height > 0 && image.width > 0 && grid.rows > 0 && grid.cols > 0 &&
                   rgb.size() == static_cast<size_t>(image.height) * image.width * 3);
  if (refinement == MaskRefinement::kNone) return;
  const ImageSize size = WorkingSize(image);
  const cv::Mat3b small = Shrink(rgb, image, size);
  if (IsFlat(small)) return;
  const GuidedFilter::Radius radius = {PatchSpan(size.height, grid.rows),
                                       PatchSpan(size.width, grid.cols)};
  const absl::Span<const uint8_t> colours(small.ptr(), small.total() * 3);
  refiner_ = std::make_unique<Refiner>(Refiner{size, grid, GuidedFilter(colours, size, radius)});
}

PixelMasker::~PixelMasker() = default;

std::vector<uint8_t> PixelMasker::Mask(absl::Span<const uint8_t> object,
                                       absl::Span<const uint8_t> others) const {
  OBJECTDINO_CHECK(object.size() == static_cast<size_t>(grid_.size()) &&
                   others.size() == object.size());
  if (refiner_ == nullptr) return UpsampleMask(object, grid_, image_);
  const std::vector<uint8_t> territory = Territory(object, others, grid_);
  const std::vector<float> soft = refiner_->Refine(object, territory);
  if (soft.empty()) return UpsampleMask(object, grid_, image_);

  std::vector<uint8_t> pixels = UpsampleMask(territory, grid_, image_);
  const std::vector<Sample> xs = SampleAxis(image_.width, refiner_->size.width);
  const std::vector<Sample> ys = SampleAxis(image_.height, refiner_->size.height);
  std::vector<float> row(static_cast<size_t>(refiner_->size.width));
  uint8_t* pixel = pixels.data();
  for (const Sample& sy : ys) {
    const float* above = soft.data() + static_cast<size_t>(sy.first) * row.size();
    const float* below = soft.data() + static_cast<size_t>(sy.second) * row.size();
    for (size_t x = 0; x < row.size(); ++x) row[x] = above[x] + sy.weight * (below[x] - above[x]);
    for (const Sample& sx : xs) {
      const float value = row[sx.first] + sx.weight * (row[sx.second] - row[sx.first]);
      *pixel &= value > kInside ? 1 : 0;
      ++pixel;
    }
  }
  return pixels;
}

}  // namespace objectdino
