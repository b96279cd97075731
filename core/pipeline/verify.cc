// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/verify.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"

#include "core/base/status_macros.h"
#include "core/math/rle.h"

namespace objectdino {
namespace {

double Dot(absl::Span<const float> a, absl::Span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// 0 where a vector is.
double Cosine(absl::Span<const float> a, absl::Span<const float> b) {
  const double norms = std::sqrt(Dot(a, a)) * std::sqrt(Dot(b, b));
  return norms > 0 ? std::clamp(Dot(a, b) / norms, -1.0, 1.0) : 0;
}

// What all regions of one image are held against. N patches, E the width of embeddings.
class Verifier {
 public:
  explicit Verifier(const Grounding& grounding)
      : grounding_(grounding),
        check_(grounding.objectness, grounding.cls_attention),
        flat_(absl::c_all_of(grounding.objectness, [](float n) { return n == 0; })),
        covered_(grounding.objectness.size(), 0) {
    for (const GroundedObject& object : grounding.objects) {
      for (size_t i = 0; i < covered_.size(); ++i) covered_[i] |= object.mask[i];
    }
    patch_lengths_.reserve(covered_.size());
    for (int i = 0; i < grounding.grid.size(); ++i) {
      patch_lengths_.push_back(std::sqrt(Dot(Patch(i), Patch(i))));
    }
  }

  RegionScore operator()(const Box& box) const {
    const ImageSize image = grounding_.image;
    const Box inside = {std::max(box.x1, 0.0F), std::max(box.y1, 0.0F),
                        std::min(box.x2, static_cast<float>(image.width)),
                        std::min(box.y2, static_cast<float>(image.height))};
    return OfRegion(
        BoxFootprint(inside, grounding_.grid, image),
        [&](const GroundedObject& object, const Footprint&) { return BoxIou(inside, object.box); });
  }

  RegionScore operator()(const Point& point) const {
    return OfRegion(PatchFootprint(PatchAt(point, grounding_.grid, grounding_.image),
                                   grounding_.grid, grounding_.image),
                    GridIou);
  }

  RegionScore operator()(const MaskShares& mask) const {
    return OfRegion(MaskFootprint(mask, grounding_.grid, grounding_.image), GridIou);
  }

  RegionScore operator()(const PatchQuery& query) const {
    const double length = std::sqrt(Dot(query, query));
    QueryMatch match{0, -2};
    for (int i = 0; i < grounding_.grid.size(); ++i) {
      const double norms = length * patch_lengths_[i];
      const double similarity = norms > 0 ? std::clamp(Dot(query, Patch(i)) / norms, -1.0, 1.0) : 0;
      if (similarity > match.similarity) match = {i, similarity};
    }
    const Footprint region = PatchFootprint(match.patch, grounding_.grid, grounding_.image);
    RegionScore result = Score(region);
    result.query = match;
    for (size_t i = 0; i < grounding_.objects.size(); ++i) {
      const GroundedObject& object = grounding_.objects[i];
      const double similarity = Cosine(query, object.embedding);
      if (!result.best_object || similarity > result.best_object->similarity) {
        result.best_object = {static_cast<int>(i), GridIou(object, region), similarity};
      }
    }
    return result;
  }

 private:
  static double GridIou(const GroundedObject& object, const Footprint& region) {
    double both = 0;
    double either = 0;
    for (size_t i = 0; i < region.inside.size(); ++i) {
      both += object.mask[i] != 0 ? region.inside[i] : 0;
      either += object.mask[i] != 0 ? 1 : region.inside[i];
    }
    return either > 0 ? both / either : 0;
  }

  // `iou`: (object, region) -> [0, 1].
  template <typename Iou>
  RegionScore OfRegion(const Footprint& region, const Iou& iou) const {
    RegionScore result = Score(region);
    for (size_t i = 0; i < grounding_.objects.size(); ++i) {
      const double overlap = iou(grounding_.objects[i], region);
      if (overlap > (result.best_object ? result.best_object->iou : 0)) {
        result.best_object = {static_cast<int>(i), overlap, 0};
      }
    }
    if (result.best_object) {
      result.best_object->similarity =
          Cosine(Pool(region), grounding_.objects[result.best_object->index].embedding);
    }
    return result;
  }

  // All but the matches.
  RegionScore Score(const Footprint& region) const {
    RegionScore result;
    result.box = region.box;
    if (!flat_) {
      result.reading = check_.Read(region);
      result.score = ScoreOfRule(result.reading.rule());
    }
    double all = 0;
    double covered = 0;
    for (size_t i = 0; i < region.inside.size(); ++i) {
      all += region.inside[i];
      covered += covered_[i] != 0 ? region.inside[i] : 0;
    }
    result.coverage = all > 0 ? covered / all : 0;
    return result;
  }

  absl::Span<const float> Patch(int i) const {
    const auto width = static_cast<size_t>(grounding_.embedding_width);
    return absl::MakeConstSpan(grounding_.patch_vectors).subspan(i * width, width);
  }

  // [E]: the direction of the mean of the region's patch vectors.
  std::vector<float> Pool(const Footprint& region) const {
    std::vector<double> sum(grounding_.embedding_width, 0);
    for (int i = 0; i < grounding_.grid.size(); ++i) {
      if (region.inside[i] == 0) continue;
      const absl::Span<const float> patch = Patch(i);
      for (size_t d = 0; d < sum.size(); ++d) sum[d] += region.inside[i] * patch[d];
    }
    return {sum.begin(), sum.end()};
  }

  const Grounding& grounding_;
  const RegionCheck check_;
  const bool flat_;                    // nothing stands out
  std::vector<uint8_t> covered_;       // [N]: by any object
  std::vector<double> patch_lengths_;  // [N]
};

}  // namespace

absl::StatusOr<MaskShares> ReadMask(absl::string_view rle, const PatchGrid& grid, ImageSize image) {
  MaskBuilder builder(grid, image);
  OBJECTDINO_RETURN_IF_ERROR(
      VisitCocoRle(rle, image.height, image.width,
                   [&builder](int64_t begin, int64_t end) { builder.AddRun(begin, end); }));
  std::optional<MaskShares> mask = builder.Build();
  if (!mask) return absl::InvalidArgumentError("the mask is empty");
  return *std::move(mask);
}

std::vector<RegionScore> VerifyRegions(const Grounding& grounding,
                                       absl::Span<const ClaimedRegion> regions) {
  return VerifyRegions(grounding, regions, [] { return false; });
}

std::vector<RegionScore> VerifyRegions(const Grounding& grounding,
                                       absl::Span<const ClaimedRegion> regions,
                                       absl::FunctionRef<bool()> stop) {
  OBJECTDINO_CHECK(grounding.patch_vectors.size() ==
                   static_cast<size_t>(grounding.grid.size()) * grounding.embedding_width);
  const Verifier verifier(grounding);
  std::vector<RegionScore> scores;
  scores.reserve(regions.size());
  for (const ClaimedRegion& region : regions) {
    if (stop()) break;
    scores.push_back(std::visit(verifier, region));
  }
  return scores;
}

}  // namespace objectdino
