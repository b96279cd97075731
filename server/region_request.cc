// SPDX-License-Identifier: Apache-2.0
#include "server/region_request.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "core/base/status_macros.h"
#include "server/embedding_space.h"
#include "server/request_error.h"
#include "server/tensor_codec.h"

namespace objectdino {
namespace {

// "regions[3].box"
std::string Path(int index, absl::string_view field) {
  return absl::StrCat("regions[", index, "].", field);
}

std::string SizeText(ImageSize image) {
  return absl::StrCat(image.height, " x ", image.width, " (height x width)");
}

absl::Status CheckBox(const std::string& path, const v1::Box& box, ImageSize image) {
  const auto text = [&box] {
    return absl::StrCat("(", box.x1(), ", ", box.y1(), ", ", box.x2(), ", ", box.y2(), ")");
  };
  for (const float bound : {box.x1(), box.y1(), box.x2(), box.y2()}) {
    if (!std::isfinite(bound)) {
      return FieldError(path, absl::StrCat("must be finite, got ", text()));
    }
  }
  if (!(box.x1() < box.x2() && box.y1() < box.y2())) {
    return FieldError(path, absl::StrCat("must have x1 < x2 and y1 < y2, got ", text()));
  }
  if (box.x2() <= 0 || box.y2() <= 0 || box.x1() >= static_cast<float>(image.width) ||
      box.y1() >= static_cast<float>(image.height)) {
    return FieldError(path, absl::StrCat("must lie in the image of ", SizeText(image),
                                         " at least in part, got ", text()));
  }
  return absl::OkStatus();
}

absl::Status CheckPoint(const std::string& path, const v1::Point& point, ImageSize image) {
  // False for NaN.
  const bool inside = point.x() >= 0 && point.x() <= static_cast<float>(image.width) &&
                      point.y() >= 0 && point.y() <= static_cast<float>(image.height);
  if (inside) return absl::OkStatus();
  return FieldError(path, absl::StrCat("must lie in the image of ", SizeText(image), ", got (",
                                       point.x(), ", ", point.y(), ")"));
}

absl::Status CheckMask(const std::string& path, const v1::Mask& mask, ImageSize image) {
  if (mask.data_case() != v1::Mask::kCocoRle) return FieldError(path, "must hold coco_rle");
  if (mask.height() != static_cast<uint32_t>(image.height) ||
      mask.width() != static_cast<uint32_t>(image.width)) {
    return FieldError(path, absl::StrCat("must have the size of the image, ", SizeText(image),
                                         ", got ", mask.height(), " x ", mask.width()));
  }
  return absl::OkStatus();
}

// What is wrong with a query, whatever the image; `width` is that of embeddings.
absl::Status CheckWidth(const std::string& path, const v1::Embedding& query, int width) {
  const v1::Tensor& values = query.values();
  if (values.shape_size() == 1 && values.shape(0) == static_cast<uint32_t>(width)) {
    return absl::OkStatus();
  }
  return FieldError(
      absl::StrCat(path, ".values"),
      absl::StrCat("must have the shape [", width, "] of this model's embeddings, got ",
                   values.shape_size() == 1 ? absl::StrCat("[", values.shape(0), "]")
                                            : absl::StrCat(values.shape_size(), " dimensions")));
}

absl::Status CheckSpace(const std::string& path, const v1::Embedding& query,
                        const std::string& space) {
  const absl::string_view given = query.space();
  // The pooling is the caller's own affair.
  if (given.empty() || given.substr(0, given.rfind('/')) == space) return absl::OkStatus();
  return FieldError(absl::StrCat(path, ".space"),
                    absl::StrCat("must be empty or begin with ", space, "/, got ", given));
}

absl::Status CheckQuery(const std::string& path, const v1::Embedding& query,
                        const GroundOptions& options, const ModelFacts& model) {
  OBJECTDINO_RETURN_IF_ERROR(WithField(CheckTensor(query.values()), absl::StrCat(path, ".values")));
  if (options.embedding_source == EmbeddingSource::kFinalLayer) {
    OBJECTDINO_RETURN_IF_ERROR(CheckWidth(path, query, model.config.width));
    return CheckSpace(path, query, EmbeddingSpace(options.embedding_source, {}, model));
  }
  // Its heads are not known yet; no more than all of them.
  const int64_t most = int64_t{model.config.layers} * model.config.width;
  if (query.values().shape_size() == 1 && query.values().shape(0) <= most) return absl::OkStatus();
  return FieldError(absl::StrCat(path, ".values"),
                    absl::StrCat("must have one dimension of at most ", most));
}

absl::StatusOr<PatchQuery> ReadQuery(const std::string& path, const v1::Embedding& query) {
  PatchQuery values = DecodeTensor(query.values());
  if (!absl::c_all_of(values, [](float v) { return std::isfinite(v); })) {
    return FieldError(path, "must be finite");
  }
  if (absl::c_all_of(values, [](float v) { return v == 0; })) {
    return FieldError(path, "must not be zero");
  }
  return values;
}

}  // namespace

absl::Status CheckRegions(const Regions& regions, const ParsedRequest& request,
                          const ModelFacts& model, const Limits& limits) {
  if (regions.empty() || regions.size() > limits.max_regions) {
    return FieldError("regions",
                      absl::StrCat("must be 1 to ", limits.max_regions, ", got ", regions.size()));
  }
  const ImageSize image = request.upright_size;
  for (int i = 0; i < regions.size(); ++i) {
    const v1::Region& region = regions[i];
    absl::Status status;
    switch (region.kind_case()) {
      case v1::Region::kBox:
        status = CheckBox(Path(i, "box"), region.box(), image);
        break;
      case v1::Region::kPoint:
        status = CheckPoint(Path(i, "point"), region.point(), image);
        break;
      case v1::Region::kMask:
        status = CheckMask(Path(i, "mask"), region.mask(), image);
        break;
      case v1::Region::kQuery:
        status = CheckQuery(Path(i, "query"), region.query(), request.options, model);
        break;
      case v1::Region::KIND_NOT_SET:
        status = FieldError(Path(i, "kind"), "must be set: box, point, mask or query");
        break;
    }
    OBJECTDINO_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

int64_t BytesOfRegions(const Regions& regions, int64_t patches) {
  constexpr auto kFloat = static_cast<int64_t>(sizeof(float));
  constexpr int64_t kLeastBytesOfAValue = 2;
  int64_t bytes = 0;
  for (const v1::Region& region : regions) {
    const auto query = static_cast<int64_t>(region.query().values().data().size());
    bytes += static_cast<int64_t>(sizeof(ClaimedRegion)) + query / kLeastBytesOfAValue * kFloat +
             (region.has_mask() ? patches * kFloat : 0);
  }
  return bytes;
}

absl::StatusOr<std::vector<ClaimedRegion>> ReadRegions(const Regions& regions,
                                                       const PatchGrid& grid, ImageSize image) {
  std::vector<ClaimedRegion> result;
  result.reserve(static_cast<size_t>(regions.size()));
  for (const v1::Region& region : regions) {
    const int i = static_cast<int>(result.size());
    if (region.has_box()) {
      const v1::Box& box = region.box();
      result.emplace_back(Box{box.x1(), box.y1(), box.x2(), box.y2()});
    } else if (region.has_point()) {
      result.emplace_back(Point{region.point().x(), region.point().y()});
    } else if (region.has_mask()) {
      absl::StatusOr<MaskShares> mask = ReadMask(region.mask().coco_rle(), grid, image);
      if (!mask.ok()) return FieldError(Path(i, "mask.coco_rle"), mask.status().message());
      result.emplace_back(*std::move(mask));
    } else {
      OBJECTDINO_ASSIGN_OR_RETURN(PatchQuery query,
                                  ReadQuery(Path(i, "query.values"), region.query()));
      result.emplace_back(std::move(query));
    }
  }
  return result;
}

absl::Status CheckSpaces(const Regions& regions, const Grounding& grounding,
                         const ModelFacts& model) {
  const std::string space = EmbeddingSpace(grounding.embedding_source, grounding.heads, model);
  for (int i = 0; i < regions.size(); ++i) {
    if (!regions[i].has_query()) continue;
    const std::string path = Path(i, "query");
    OBJECTDINO_RETURN_IF_ERROR(CheckWidth(path, regions[i].query(), grounding.embedding_width));
    OBJECTDINO_RETURN_IF_ERROR(CheckSpace(path, regions[i].query(), space));
  }
  return absl::OkStatus();
}

}  // namespace objectdino
