// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pugixml.hpp"

#include "core/base/status_macros.h"
#include "core/evaluation/dataset_readers.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;
using AnnotatedImage = std::pair<fs::path, fs::path>;  // annotation, image

int LineAt(const std::string& text, std::ptrdiff_t offset) {
  offset = std::clamp<std::ptrdiff_t>(offset, 0, static_cast<std::ptrdiff_t>(text.size()));
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + offset, '\n'));
}

absl::StatusOr<std::vector<TruthObject>> ReadObjects(const fs::path& annotation) {
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string text, ReadAnnotation(annotation));
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
  if (!parsed) {
    return MalformedLine(annotation, LineAt(text, parsed.offset), parsed.description());
  }
  std::vector<TruthObject> objects;
  for (const pugi::xml_node node : document.child("annotation").children("object")) {
    const pugi::xml_node bounds = node.child("bndbox");
    TruthObject object;
    object.label = node.child_value("name");
    Box& box = object.box;
    const auto side = [&bounds](const char* name, float* value) {
      return absl::SimpleAtof(bounds.child_value(name), value);
    };
    if (!side("xmin", &box.x1) || !side("ymin", &box.y1) || !side("xmax", &box.x2) ||
        !side("ymax", &box.y2)) {
      return MalformedLine(annotation, LineAt(text, node.offset_debug()),
                           "an object without a box (bndbox with xmin, ymin, xmax, ymax)");
    }
    box.x1 -= 1;  // VOC counts from 1 and includes the last pixel
    box.y1 -= 1;
    if (!(box.x1 < box.x2 && box.y1 < box.y2)) {
      return MalformedLine(annotation, LineAt(text, node.offset_debug()), "a box without area");
    }
    objects.push_back(std::move(object));
  }
  return objects;
}

// The images of a split file: one a line, in the class-specific ones followed by 1, 0 or -1 (the
// class is not there).
absl::StatusOr<std::vector<AnnotatedImage>> ReadSplit(const fs::path& list,
                                                      const fs::path& annotations,
                                                      const fs::path& images) {
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string text, ReadAnnotation(list));
  std::vector<AnnotatedImage> pairs;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line);
    std::string stem;
    int flag = 1;
    if (!(words >> stem)) continue;
    words >> flag;
    if (flag < 0) continue;
    const auto image = ImageOf(images, stem);
    fs::path annotation = annotations / (stem + ".xml");
    std::error_code ignored;
    if (!image || !fs::exists(annotation, ignored)) {
      return MalformedLine(list, number,
                           absl::StrCat("'", stem, "' has no ", image ? "annotation" : "image"));
    }
    pairs.emplace_back(std::move(annotation), *image);
  }
  return pairs;
}

}  // namespace

absl::StatusOr<std::vector<Sample>> ReadVocDataset(const fs::path& root, const std::string& split) {
  const auto images = FirstFolder(root, {"JPEGImages", "images"});
  const auto annotations = FirstFolder(root, {"Annotations", "annotations"});
  if (!images || !annotations) {
    return absl::NotFoundError(
        absl::StrCat(root.string(), ": no folder with images and annotations"));
  }
  OBJECTDINO_ASSIGN_OR_RETURN(
      const std::vector<AnnotatedImage> pairs,
      split.empty()
          ? PairWithImages(*annotations, *images, ".xml")
          : ReadSplit(root / "ImageSets" / "Main" / (split + ".txt"), *annotations, *images));
  std::vector<Sample> samples;
  for (const auto& [annotation, image] : pairs) {
    Sample& sample = samples.emplace_back();
    sample.name = image.filename().string();
    sample.image_path = image.string();
    OBJECTDINO_ASSIGN_OR_RETURN(sample.objects, ReadObjects(annotation));
  }
  return samples;
}

}  // namespace objectdino
