// SPDX-License-Identifier: Apache-2.0
// The regions of a VerifyRegionsRequest, checked and turned into the core's terms, in three steps:
// CheckRegions when the request arrives, ReadRegions when the grid is known, CheckSpaces when the
// heads are.
//
// All errors are INVALID_ARGUMENT with the path of the region, "regions[3].box". Thread-safety:
// pure functions.
#ifndef OBJECTDINO_SERVER_REGION_REQUEST_H_
#define OBJECTDINO_SERVER_REGION_REQUEST_H_

#include <cstdint>
#include <google/protobuf/repeated_ptr_field.h>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/pipeline/grounding.h"
#include "core/pipeline/verify.h"
#include "objectdino/v1/grounding_service.pb.h"
#include "server/engine.h"
#include "server/ground_request.h"
#include "server/limits.h"

namespace objectdino {

using Regions = google::protobuf::RepeatedPtrField<v1::Region>;

// Everything that needs neither pixels nor a look at long data: count, kinds, boxes, points, sizes
// of masks and queries, and with FINAL_LAYER the space of queries. Cost: O(regions).
absl::Status CheckRegions(const Regions& regions, const ParsedRequest& request,
                          const ModelFacts& model, const Limits& limits);

// At most what ReadRegions takes, on a grid of that many patches. Cost: O(regions).
int64_t BytesOfRegions(const Regions& regions, int64_t patches);

// REQUIRES: CheckRegions accepted the regions. Errors: damaged or empty masks, queries that are not
// finite or all zero. Cost: O(bytes), and memory of O(N) a mask, E floats a query.
absl::StatusOr<std::vector<ClaimedRegion>> ReadRegions(const Regions& regions,
                                                       const PatchGrid& grid, ImageSize image);

// Queries have the width and the space of the embeddings of `grounding`.
absl::Status CheckSpaces(const Regions& regions, const Grounding& grounding,
                         const ModelFacts& model);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_REGION_REQUEST_H_
