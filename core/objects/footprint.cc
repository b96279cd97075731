// SPDX-License-Identifier: Apache-2.0
#include "core/objects/footprint.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr double kRing = 0.3;  // of the region's size, each way

// The share of cell i that [low, high) covers, both in cells.
double CellShare(double low, double high, int i) {
  return std::clamp(std::min(high, i + 1.0) - std::max(low, static_cast<double>(i)), 0.0, 1.0);
}

// [rows, cols]: the share of each patch that `box`, grown by `grow` of its size each way, covers.
std::vector<double> Coverage(const Box& box, double grow, const PatchGrid& grid, ImageSize image) {
  const auto axis = [grow](double low, double high, int pixels, int cells) {
    const double more = grow * (high - low);
    const double first = std::max(0.0, low - more) * cells / pixels;
    const double last = std::min(static_cast<double>(pixels), high + more) * cells / pixels;
    std::vector<double> shares(static_cast<size_t>(cells));
    for (int i = 0; i < cells; ++i) shares[i] = CellShare(first, last, i);
    return shares;
  };
  const std::vector<double> rows = axis(box.y1, box.y2, image.height, grid.rows);
  const std::vector<double> cols = axis(box.x1, box.x2, image.width, grid.cols);
  std::vector<double> shares;  // [rows, cols]
  shares.reserve(rows.size() * cols.size());
  for (const double row : rows) {
    for (const double col : cols) shares.push_back(row * col);
  }
  return shares;
}

// The ring of `box`, and what `inside` leaves of it.
Footprint WithRing(std::vector<double> inside, const Box& box, const PatchGrid& grid,
                   ImageSize image) {
  Footprint result{std::move(inside), Coverage(box, kRing, grid, image), box};
  for (size_t i = 0; i < result.around.size(); ++i) {
    result.around[i] = std::max(result.around[i] - result.inside[i], 0.0);
  }
  return result;
}

}  // namespace

Footprint BoxFootprint(const Box& box, const PatchGrid& grid, ImageSize image) {
  return WithRing(Coverage(box, 0, grid, image), box, grid, image);
}

Footprint PatchFootprint(int patch, const PatchGrid& grid, ImageSize image) {
  OBJECTDINO_CHECK(patch >= 0 && patch < grid.size());
  const double height = static_cast<double>(image.height) / grid.rows;
  const double width = static_cast<double>(image.width) / grid.cols;
  const int row = patch / grid.cols;
  const int col = patch % grid.cols;
  Footprint result;
  result.inside.assign(grid.size(), 0);
  result.around.assign(grid.size(), 1);
  result.inside[patch] = 1;
  result.around[patch] = 0;
  result.box = {static_cast<float>(col * width), static_cast<float>(row * height),
                static_cast<float>((col + 1) * width), static_cast<float>((row + 1) * height)};
  return result;
}

int PatchAt(const Point& point, const PatchGrid& grid, ImageSize image) {
  const auto cell = [](double at, int pixels, int cells) {
    return static_cast<int>(std::clamp(std::floor(at * cells / pixels), 0.0, cells - 1.0));
  };
  return cell(point.y, image.height, grid.rows) * grid.cols + cell(point.x, image.width, grid.cols);
}

Footprint MaskFootprint(const MaskShares& mask, const PatchGrid& grid, ImageSize image) {
  return WithRing({mask.inside.begin(), mask.inside.end()}, mask.box, grid, image);
}

MaskBuilder::MaskBuilder(const PatchGrid& grid, ImageSize image)
    : grid_(grid), image_(image), inside_(grid.size()), column_(grid.rows) {}

void MaskBuilder::AddRun(int64_t begin, int64_t end) {
  while (begin < end) {
    const int x = static_cast<int>(begin / image_.height);
    const int64_t top = int64_t{x} * image_.height;
    const int64_t stop = std::min(end, top + image_.height);
    AddRows(x, static_cast<int>(begin - top), static_cast<int>(stop - top));
    begin = stop;
  }
}

void MaskBuilder::AddRows(int x, int begin, int end) {
  if (x != x_) FinishColumn();
  x_ = x;
  const double low = static_cast<double>(begin) * grid_.rows / image_.height;
  const double high = static_cast<double>(end) * grid_.rows / image_.height;
  for (int row = static_cast<int>(low); row < grid_.rows && row < high; ++row) {
    column_[row] += CellShare(low, high, row);
  }
  const bool first = right_ == 0;
  left_ = first ? x : left_;
  top_ = first ? begin : std::min(top_, begin);
  bottom_ = std::max(bottom_, end);
  right_ = x + 1;
}

void MaskBuilder::FinishColumn() {
  const double low = static_cast<double>(x_) * grid_.cols / image_.width;
  const double high = (x_ + 1.0) * grid_.cols / image_.width;
  for (int col = static_cast<int>(low); col < grid_.cols && col < high; ++col) {
    const double share = CellShare(low, high, col);
    for (int row = 0; row < grid_.rows; ++row) {
      inside_[row * grid_.cols + col] += share * column_[row];
    }
  }
  std::fill(column_.begin(), column_.end(), 0.0);
}

std::optional<MaskShares> MaskBuilder::Build() {
  if (right_ == 0) return std::nullopt;
  FinishColumn();
  MaskShares result;
  result.inside.reserve(inside_.size());
  for (const double share : inside_) {
    result.inside.push_back(static_cast<float>(std::min(share, 1.0)));
  }
  result.box = {static_cast<float>(left_), static_cast<float>(top_), static_cast<float>(right_),
                static_cast<float>(bottom_)};
  return result;
}

}  // namespace objectdino
