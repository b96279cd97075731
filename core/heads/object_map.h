// SPDX-License-Identifier: Apache-2.0
// Objectness maps: one value in [0, 1] a patch, high = object.
//
// Torch-free. Thread-safety: pure functions. Maps are [rows * cols].
#ifndef OBJECTDINO_CORE_HEADS_OBJECT_MAP_H_
#define OBJECTDINO_CORE_HEADS_OBJECT_MAP_H_

#include <vector>

#include "absl/types/span.h"

#include "core/base/head_ref.h"
#include "core/base/patch_grid.h"
#include "core/heads/head_vectors.h"

namespace objectdino {

// Anchored objectness (defaults.md section 2), before scaling: with a = CLS attention, b = uniform
// on the outer ring of patches, the mean over the heads and over the components r of x^_j . sum_i
// (a_i - b_i) x^_i. `layers` holds the vectors of every layer that has a selected head, by number.
// Cost: O(N R H d) a layer that has a selected head.
std::vector<float> AnchoredEvidence(absl::Span<const HeadVectors> layers,
                                    absl::Span<const HeadRef> heads,
                                    absl::Span<const float> cls_attention, const PatchGrid& grid);

// The published map (algorithm.md 1.6), turned so that high = object: 1 - minmax(mean over the
// heads of their descriptors), with 1e-6 added to the range. `descriptors` is [L * H, patches]. It
// takes the majority of patches for background, which is wrong on about one photograph in four
// (defaults.md section 1).
std::vector<float> PublishedObjectness(absl::Span<const float> descriptors, int heads_per_layer,
                                       int patches, absl::Span<const HeadRef> heads);

// The mean of `map` and of what was found in the mirror image, `mirrored` turned back (its columns
// reversed), as MinMaxScale. Both [rows, cols]. With it, mirrored images give mirrored maps.
std::vector<float> MirrorMean(absl::Span<const float> map, absl::Span<const float> mirrored,
                              const PatchGrid& grid);

// (v - min) / (max - min); zeros where the range is below 1e-12.
std::vector<float> MinMaxScale(absl::Span<const float> values);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_OBJECT_MAP_H_
