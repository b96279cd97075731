// SPDX-License-Identifier: Apache-2.0
// The picture of the attention heads of one image: what Object-DINO chooses from, and its choice.
//
// Rows are layers, 0 at the top; columns are heads. A tile holds a head's self-similarity maps,
// each scaled from its own least to its own largest value and coloured with viridis, a patch an
// equal square. Its frame has the colour of the head's cluster; object-centric heads have a thick
// one. On the left: the photograph, what was computed, the clusters with their mean maps and sizes.
//
// Thread-safety: pure functions. Cost: O(pixels of the sheet), which the answer's size bounds.
#ifndef OBJECTDINO_CLIENT_CPP_HEADS_SHEET_H_
#define OBJECTDINO_CLIENT_CPP_HEADS_SHEET_H_

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"

#include "core/image/image.h"
#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// Which maps a tile shows.
enum class HeadComponent {
  kQuery,
  kKey,
  kValue,
  kMean,  // of the three
  kAll,   // the three, side by side
};

// RGB, told apart by the colour-blind too. Cluster c > 0 has colour 1 + (c - 1) % (size - 1); where
// that repeats, every tile carries its cluster's number.
inline constexpr std::array<std::array<uint8_t, 3>, 8> kClusterColours = {{{213, 94, 0},
                                                                           {0, 114, 178},
                                                                           {204, 121, 167},
                                                                           {60, 60, 60},
                                                                           {0, 158, 115},
                                                                           {86, 180, 233},
                                                                           {230, 159, 0},
                                                                           {150, 150, 150}}};

// `image`: upright, the one that was grounded. `response`: with OUTPUT_HEADS and embedding_dtype
// F32. INVALID_ARGUMENT: the image's size is not the answer's, or what ReadHeadAnswer refuses.
absl::StatusOr<Image> DrawHeadsSheet(const Image& image, const v1::GroundResponse& response,
                                     HeadComponent component);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_HEADS_SHEET_H_
