// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "core/base/status_macros.h"
#include "core/evaluation/dataset_readers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Walks over a document that anybody may have written: a wrong type throws, and is caught once.
class CocoReader {
 public:
  CocoReader(const json& document, const fs::path& images, bool masks, ImageList* wanted)
      : document_(document), images_(images), masks_(masks), wanted_(wanted) {}

  // Throws json::exception for wrong types; `place` then says where.
  absl::StatusOr<std::vector<Sample>> Read() {
    ReadLabels();
    OBJECTDINO_RETURN_IF_ERROR(ReadImages());
    OBJECTDINO_RETURN_IF_ERROR(ReadAnnotations());
    std::vector<Sample> samples;
    samples.reserve(samples_.size());
    for (auto& [_, sample] : samples_) samples.push_back(std::move(sample));
    return samples;
  }

  // "annotations[17]": what was read last.
  const std::string& place() const { return place_; }

 private:
  void ReadLabels() {
    place_ = "categories";
    if (!document_.contains("categories")) return;
    for (const json& category : document_.at("categories")) {
      labels_[category.at("id").get<int64_t>()] = category.at("name").get<std::string>();
    }
  }

  absl::Status ReadImages() {
    place_ = "images";
    const json& images = document_.at("images");
    for (size_t i = 0; i < images.size(); ++i) {
      place_ = absl::StrCat("images[", i, "]");
      const json& image = images.at(i);
      const auto id = image.at("id").get<int64_t>();
      const auto file_name = image.at("file_name").get<std::string>();
      ids_.insert(id);
      if (wanted_ != nullptr && !wanted_->Contains(file_name, absl::StrCat(id))) continue;
      Sample& sample = samples_[id];
      sample.name = fs::path(file_name).filename().string();
      sample.image_path = (images_ / file_name).string();
      std::error_code ignored;
      if (!fs::exists(sample.image_path, ignored)) {
        return absl::NotFoundError(absl::StrCat(sample.image_path, ": is not there"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadAnnotations() {
    place_ = "annotations";
    const json& annotations = document_.at("annotations");
    for (size_t i = 0; i < annotations.size(); ++i) {
      place_ = absl::StrCat("annotations[", i, "]");
      const json& annotation = annotations.at(i);
      const auto id = annotation.at("image_id").get<int64_t>();
      const auto sample = samples_.find(id);
      if (sample == samples_.end() && ids_.count(id) == 0) return Malformed("of an unknown image");
      if (sample == samples_.end() || IsCrowd(annotation)) continue;
      const auto bounds = annotation.at("bbox").get<std::vector<float>>();
      if (bounds.size() != 4) return Malformed("'bbox' is not [x, y, width, height]");
      if (!(bounds[2] > 0) || !(bounds[3] > 0)) continue;
      TruthObject object;
      object.box = {bounds[0], bounds[1], bounds[0] + bounds[2], bounds[1] + bounds[3]};
      object.label = LabelOf(annotation);
      if (masks_ && annotation.contains("segmentation")) {
        OBJECTDINO_ASSIGN_OR_RETURN(object.mask, ReadMask(annotation.at("segmentation")));
      }
      sample->second.objects.push_back(std::move(object));
    }
    return absl::OkStatus();
  }

  static bool IsCrowd(const json& annotation) {
    const auto flag = annotation.find("iscrowd");
    if (flag == annotation.end()) return false;
    return flag->is_boolean() ? flag->get<bool>() : flag->get<int>() != 0;
  }

  std::string LabelOf(const json& annotation) const {
    const int64_t id = annotation.value("category_id", int64_t{0});
    const auto label = labels_.find(id);
    return label == labels_.end() ? absl::StrCat(id) : label->second;
  }

  absl::StatusOr<TruthMask> ReadMask(const json& segmentation) const {
    TruthMask mask;
    if (segmentation.is_object()) {
      const json& counts = segmentation.at("counts");
      if (counts.is_string()) {
        mask.rle = counts.get<std::string>();
      } else {
        mask.runs = counts.get<std::vector<uint32_t>>();
      }
      return mask;
    }
    for (const json& part : segmentation) {
      const auto numbers = part.get<std::vector<float>>();
      if (numbers.size() < 6 || numbers.size() % 2 != 0) {
        return Malformed("a polygon of 'segmentation' is not [x, y, x, y, x, y, ...]");
      }
      Polygon& polygon = mask.polygons.emplace_back();
      for (size_t i = 0; i < numbers.size(); i += 2) {
        polygon.push_back({numbers[i], numbers[i + 1]});
      }
    }
    return mask;
  }

  absl::Status Malformed(absl::string_view reason) const {
    return absl::InvalidArgumentError(absl::StrCat(place_, ": ", reason));
  }

  const json& document_;
  const fs::path& images_;
  const bool masks_;
  ImageList* wanted_;
  std::string place_;
  std::map<int64_t, std::string> labels_;
  std::set<int64_t> ids_;
  std::map<int64_t, Sample> samples_;
};

}  // namespace

absl::StatusOr<std::vector<Sample>> ReadCocoDataset(const fs::path& annotations,
                                                    const fs::path& images, bool masks,
                                                    ImageList* wanted) {
  OBJECTDINO_ASSIGN_OR_RETURN(std::string text, ReadAnnotation(annotations));
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
    return MalformedLine(annotations, 1 + static_cast<int>(std::count(text.begin(), end, '\n')),
                         "is not JSON");
  }
  text = std::string();  // COCO's files are large
  CocoReader reader(document, images, masks, wanted);
  try {
    absl::StatusOr<std::vector<Sample>> samples = reader.Read();
    if (samples.ok() || absl::IsNotFound(samples.status())) return samples;
    return absl::InvalidArgumentError(
        absl::StrCat(annotations.string(), ": ", samples.status().message()));
  } catch (const json::exception&) {
    return absl::InvalidArgumentError(absl::StrCat(annotations.string(), ": ", reader.place(),
                                                   ": a field is missing or of the wrong type"));
  }
}

}  // namespace objectdino
