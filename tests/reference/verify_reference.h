// SPDX-License-Identifier: Apache-2.0
// Naive twin of the matches in core/pipeline/verify: every sum from the start, in pixels.
#ifndef OBJECTDINO_TESTS_REFERENCE_VERIFY_REFERENCE_H_
#define OBJECTDINO_TESTS_REFERENCE_VERIFY_REFERENCE_H_

#include <cmath>
#include <vector>

#include "core/pipeline/grounding.h"
#include "core/pipeline/verify.h"
#include "tests/reference/region_check_reference.h"

namespace objectdino::reference {

inline double Cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

inline std::vector<double> PatchVector(const Grounding& grounding, int patch) {
  std::vector<double> vector;
  for (int d = 0; d < grounding.embedding_width; ++d) {
    vector.push_back(grounding.patch_vectors[patch * grounding.embedding_width + d]);
  }
  return vector;
}

// A box that lies in the image.
inline RegionScore VerifyBox(const Grounding& grounding, const Box& box) {
  const PatchGrid& grid = grounding.grid;
  RegionScore result;
  result.box = box;
  result.reading =
      ReadBox(grounding.objectness, grounding.cls_attention, grid, grounding.image, box);
  result.score = 1 / (1 + std::exp(-(result.reading.rule() - 0.15) / 0.125));
  std::vector<double> pooled(grounding.embedding_width, 0.0);
  double all = 0, covered = 0;
  for (int i = 0; i < grid.size(); ++i) {
    const double area = PatchArea(i, grid, grounding.image, {box.x1, box.x2}, {box.y1, box.y2});
    bool any = false;
    for (const GroundedObject& object : grounding.objects) any = any || object.mask[i] == 1;
    all += area;
    if (any) covered += area;
    for (int d = 0; d < grounding.embedding_width; ++d) {
      pooled[d] += area * PatchVector(grounding, i)[d];
    }
  }
  result.coverage = covered / all;
  for (size_t i = 0; i < grounding.objects.size(); ++i) {
    const GroundedObject& object = grounding.objects[i];
    const double iou = BoxIou(box, object.box);
    if (iou == 0 || (result.best_object && result.best_object->iou >= iou)) continue;
    result.best_object = {static_cast<int>(i), iou,
                          Cosine(pooled, {object.embedding.begin(), object.embedding.end()})};
  }
  return result;
}

}  // namespace objectdino::reference

#endif  // OBJECTDINO_TESTS_REFERENCE_VERIFY_REFERENCE_H_
