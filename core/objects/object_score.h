// SPDX-License-Identifier: Apache-2.0
// How likely a region is an object: a calibrated score in [0, 1].
//
// score = 1 / (1 + exp(-z)), z linear in six properties of the region on the objectness map n:
//   ring contrast      mean n inside minus mean n in the ring of two patches around the region
//   contrast           mean n inside minus mean n outside
//   log area           ln(share of the patches), and its square
//   border             share of the grid's outer ring of patches that the region covers
//   mass               share of the map's sum that lies inside
//   core               1 for a region of ObjectRegions or a cut, 0 for a proposal
// The weights come from a logistic regression of "IoU >= 0.5 with a labelled box" on the regions of
// 326 photographs (docs/discovery.md has the calibration table): about half of the boxes that score
// 0.5 are right. They hold for OBJECT_DINO's map on DINOv2 ViT-S/14; for the maps of other methods
// the score ranks, but was not calibrated.
// Thread-safety: pure functions. Cost: O(patches).
#ifndef OBJECTDINO_CORE_OBJECTS_OBJECT_SCORE_H_
#define OBJECTDINO_CORE_OBJECTS_OBJECT_SCORE_H_

#include <cstdint>

#include "absl/types/span.h"

#include "core/base/patch_grid.h"

namespace objectdino {

enum class RegionKind { kObject, kProposal };

// `objectness` is [rows, cols] in [0, 1], `mask` [rows, cols] with at least one patch inside.
double ObjectScore(absl::Span<const float> objectness, absl::Span<const uint8_t> mask,
                   const PatchGrid& grid, RegionKind kind);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_OBJECTS_OBJECT_SCORE_H_
