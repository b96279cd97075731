// SPDX-License-Identifier: Apache-2.0
// Claims about an image, held against its grounding: how much each region looks like an object, and
// which of the objects found it is. Scores, no verdicts.
//
// Thread-safety: pure functions. Cost: O(N * E) a region, for N patches and embeddings E wide.
#ifndef OBJECTDINO_CORE_PIPELINE_VERIFY_H_
#define OBJECTDINO_CORE_PIPELINE_VERIFY_H_

#include <optional>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "core/base/patch_grid.h"
#include "core/objects/footprint.h"
#include "core/objects/region_check.h"
#include "core/objects/regions.h"
#include "core/pipeline/grounding.h"

namespace objectdino {

// A vector to look for among the patches: [E], of any length but zero.
using PatchQuery = std::vector<float>;

// Boxes lie in the image (at least one bound of each axis inside), points on it or on its edge.
using ClaimedRegion = std::variant<Box, Point, MaskShares, PatchQuery>;

// A mask at image resolution, as COCO compressed RLE. INVALID_ARGUMENT as DecodeCocoRle, and for a
// mask without pixels.
absl::StatusOr<MaskShares> ReadMask(absl::string_view rle, const PatchGrid& grid, ImageSize image);

struct ObjectMatch {
  int index = 0;          // in Grounding::objects
  double iou = 0;         // boxes: of the boxes; otherwise of region and mask, on the grid
  double similarity = 0;  // cosine of the object's embedding to the region's, or to the query
};

struct QueryMatch {
  int patch = 0;          // the most similar one, the first of them
  double similarity = 0;  // cosine to it
};

struct RegionScore {
  double score = 0;       // [0, 1]: ScoreOfRule; 0 where the map is 0 everywhere
  Box box;                // the region's bounds
  RegionReading reading;  // what `score` is made of
  double coverage = 0;    // share of the region that the masks of all objects cover
  // Boxes, points, masks: the object with the largest IoU; none where no object overlaps. Queries:
  // the one with the largest similarity. The first of equals.
  std::optional<ObjectMatch> best_object;
  std::optional<QueryMatch> query;  // of queries
};

// One score a region, in their order. Points stand for their patch, queries for the most similar
// one. REQUIRES: `grounding` has patch_vectors, and queries are as wide as those.
std::vector<RegionScore> VerifyRegions(const Grounding& grounding,
                                       absl::Span<const ClaimedRegion> regions);
// The same; `stop` is asked before every region, and where it says true there are no more scores.
std::vector<RegionScore> VerifyRegions(const Grounding& grounding,
                                       absl::Span<const ClaimedRegion> regions,
                                       absl::FunctionRef<bool()> stop);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_VERIFY_H_
