// SPDX-License-Identifier: Apache-2.0
// Otsu's threshold, and how well a mask separates a map.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_OBJECTS_OTSU_H_
#define OBJECTDINO_CORE_OBJECTS_OTSU_H_

#include <cstdint>

#include "absl/types/span.h"

namespace objectdino {

// The threshold with the largest between-class variance over a histogram of `bins` equal bins from
// min to max (numpy.histogram's binning in float32), as the centre of the last bin of the lower
// class; the first such bin on ties. A constant map gives its first bin's centre. Reference: Otsu
// 1979. REQUIRES: values not empty, finite.
float OtsuThreshold(absl::Span<const float> values, int bins = 256);

// Otsu's measure of separability: between-class variance of `values` split by `mask` (non-zero =
// inside) over the total variance, in [0, 1]; 0 where one side is empty, the map is constant, or
// the inside is the darker side.
float Separability(absl::Span<const float> values, absl::Span<const uint8_t> mask);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_OTSU_H_
