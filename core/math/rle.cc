// SPDX-License-Identifier: Apache-2.0
#include "core/math/rle.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr int kBits = 5;  // of the value in a character
constexpr int64_t kValueMask = 0x1f;
constexpr int64_t kSignBit = 0x10;  // of a number's last character
constexpr int64_t kMoreBit = 0x20;  // another character follows
constexpr int64_t kOffset = 48;     // '0'
constexpr int kMaxCharacters = 7;   // 35 bits: more than any difference of two 31-bit counts

void AppendNumber(int64_t number, std::string& out) {
  bool more = true;
  while (more) {
    int64_t digit = number & kValueMask;
    number >>= kBits;
    more = (digit & kSignBit) != 0 ? number != -1 : number != 0;
    if (more) digit |= kMoreBit;
    out.push_back(static_cast<char>(digit + kOffset));
  }
}

// For each column, the rows whose value is not that of the row above. Goes row by row, as the mask
// lies in memory, and passes over equal rows quickly.
std::vector<std::vector<int>> ChangesOfColumns(absl::Span<const uint8_t> mask, int height,
                                               int width) {
  std::vector<std::vector<int>> changes(static_cast<size_t>(width));
  for (int y = 1; y < height && width > 0; ++y) {
    const uint8_t* row = mask.data() + static_cast<size_t>(y) * width;
    const uint8_t* above = row - width;
    if (std::memcmp(row, above, static_cast<size_t>(width)) == 0) continue;
    for (int x = 0; x < width; ++x) {
      if ((row[x] != 0) != (above[x] != 0)) changes[x].push_back(y);
    }
  }
  return changes;
}

// Takes one number off the front of `in`.
absl::StatusOr<int64_t> TakeNumber(absl::string_view& in) {
  int64_t number = 0;
  for (int i = 0; i < kMaxCharacters; ++i) {
    if (in.empty()) return absl::InvalidArgumentError("RLE: ends inside a number");
    const int64_t digit = int64_t{in.front()} - kOffset;
    if (digit < 0 || digit > (kMoreBit | kValueMask)) {
      return absl::InvalidArgumentError(absl::StrCat("RLE: character code ", int{in.front()}));
    }
    in.remove_prefix(1);
    number |= (digit & kValueMask) << (kBits * i);
    if ((digit & kMoreBit) != 0) continue;
    if ((digit & kSignBit) != 0) number -= int64_t{1} << (kBits * (i + 1));
    return number;
  }
  return absl::InvalidArgumentError("RLE: a number is too long");
}

}  // namespace

std::string EncodeCocoRle(absl::Span<const uint8_t> mask, int height, int width) {
  OBJECTDINO_CHECK(height >= 0 && width >= 0 &&
                   mask.size() == static_cast<size_t>(height) * static_cast<size_t>(width));
  const std::vector<std::vector<int>> changes = ChangesOfColumns(mask, height, width);
  std::vector<int64_t> counts;
  bool inside = false;
  int64_t start = 0;  // of the current run, down the columns
  const auto end_run = [&](int64_t end) {
    counts.push_back(end - std::exchange(start, end));
    inside = !inside;
  };
  for (int x = 0; x < width && height > 0; ++x) {
    const int64_t top = int64_t{x} * height;
    if ((mask[x] != 0) != inside) end_run(top);
    for (const int y : changes[x]) end_run(top + y);
  }
  end_run(int64_t{height} * width);
  std::string out;
  for (size_t i = 0; i < counts.size(); ++i) {
    AppendNumber(i > 2 ? counts[i] - counts[i - 2] : counts[i], out);
  }
  return out;
}

absl::Status VisitCocoRle(absl::string_view rle, int height, int width,
                          absl::FunctionRef<void(int64_t begin, int64_t end)> run) {
  const int64_t pixels = int64_t{height} * width;
  if (height < 0 || width < 0 || pixels > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("RLE: size ", height, " x ", width));
  }
  int64_t end = 0;                      // of the runs so far
  std::array<int64_t, 2> counts = {0};  // of the last two runs, the older one first
  for (int64_t n = 0; !rle.empty(); ++n) {
    OBJECTDINO_ASSIGN_OR_RETURN(int64_t count, TakeNumber(rle));
    if (n > 2) count += counts[0];
    if (count < 0 || count > pixels - end) {
      return absl::InvalidArgumentError(
          absl::StrCat("RLE: run ", n, " of ", count, " does not fit ", height, " x ", width));
    }
    const bool inside = n % 2 == 1;
    if (inside && count > 0) run(end, end + count);
    end += count;
    counts = {counts[1], count};
  }
  if (end != pixels) {
    return absl::InvalidArgumentError(
        absl::StrCat("RLE: runs sum to ", end, ", not to ", height, " x ", width));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint8_t>> DecodeCocoRle(absl::string_view rle, int height, int width) {
  // Looked through before the mask takes memory.
  OBJECTDINO_RETURN_IF_ERROR(VisitCocoRle(rle, height, width, [](int64_t, int64_t) {}));
  std::vector<uint8_t> mask(static_cast<size_t>(height) * static_cast<size_t>(width), 0);
  OBJECTDINO_RETURN_IF_ERROR(VisitCocoRle(rle, height, width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      mask[static_cast<size_t>(i % height * width + i / height)] = 1;
    }
  }));
  return mask;
}

}  // namespace objectdino
