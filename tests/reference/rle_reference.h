// SPDX-License-Identifier: Apache-2.0
// Naive twin of core/math/rle's decoder for well-formed strings, one character at a time.
#ifndef OBJECTDINO_TESTS_REFERENCE_RLE_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_RLE_REFERENCE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace objectdino::reference {

// Run lengths, zeros first.
inline std::vector<int64_t> RunsOfCocoRle(const std::string& rle) {
  std::vector<int64_t> runs;
  int64_t number = 0;
  int64_t scale = 1;
  for (const char character : rle) {
    const int code = character - '0';
    number += code % 32 * scale;
    scale *= 32;
    if (code >= 32) continue;
    if (code >= 16) number -= scale;
    runs.push_back(runs.size() > 2 ? number + runs[runs.size() - 2] : number);
    number = 0;
    scale = 1;
  }
  return runs;
}

// Row-major mask.
inline std::vector<uint8_t> DecodeCocoRle(const std::string& rle, int height, int width) {
  std::vector<uint8_t> down_columns;
  uint8_t value = 0;
  for (const int64_t run : RunsOfCocoRle(rle)) {
    down_columns.insert(down_columns.end(), static_cast<size_t>(run), value);
    value ^= 1;
  }
  std::vector<uint8_t> mask;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      mask.push_back(down_columns.at(static_cast<size_t>(x) * height + y));
    }
  }
  return mask;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_RLE_REFERENCE_H_
