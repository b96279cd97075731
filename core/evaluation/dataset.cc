// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "pugixml.hpp"

#include "core/base/status_macros.h"
#include "core/image/header.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> FirstFolder(const fs::path& root,
                                    std::initializer_list<const char*> names) {
  std::error_code ignored;
  for (const char* name : names) {
    if (fs::is_directory(root / name, ignored)) return root / name;
  }
  return std::nullopt;
}

std::optional<fs::path> ImageOf(const fs::path& images, const std::string& stem) {
  std::error_code ignored;
  for (const char* extension : {".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG"}) {
    const fs::path path = images / (stem + extension);
    if (fs::exists(path, ignored)) return path;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<Box>> ReadVocBoxes(const fs::path& annotation) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_file(annotation.c_str());
  if (!parsed) {
    return absl::InvalidArgumentError(
        absl::StrCat(annotation.string(), ": byte ", parsed.offset, ": ", parsed.description()));
  }
  std::vector<Box> boxes;
  for (const pugi::xml_node object : document.child("annotation").children("object")) {
    const pugi::xml_node bounds = object.child("bndbox");
    const auto side = [&bounds](const char* name) {
      return bounds.child(name).text().as_float(std::nanf(""));
    };
    const Box box{side("xmin") - 1, side("ymin") - 1, side("xmax"), side("ymax")};
    if (!(box.x1 < box.x2 && box.y1 < box.y2)) {
      return absl::InvalidArgumentError(
          absl::StrCat(annotation.string(), ": an object without a box"));
    }
    boxes.push_back(box);
  }
  return boxes;
}

absl::StatusOr<ImageSize> SizeOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  if (!header.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": ", header.status().message()));
  }
  ImageSize size = header->stored_size;
  if (header->exif_orientation >= 5) std::swap(size.height, size.width);
  return size;
}

absl::StatusOr<std::vector<Box>> ReadYoloBoxes(const fs::path& annotation, const fs::path& image) {
  OBJECTDINO_ASSIGN_OR_RETURN(const ImageSize size, SizeOf(image));
  std::ifstream file(annotation);
  if (!file) return absl::NotFoundError(absl::StrCat(annotation.string(), ": cannot be read"));
  std::vector<Box> boxes;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    std::istringstream words(line);
    double label = 0, cx = 0, cy = 0, w = 0, h = 0;
    if (!(words >> label >> cx >> cy >> w >> h) || w <= 0 || h <= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(annotation.string(), ":", number, ": expected 'class cx cy w h'"));
    }
    boxes.push_back({static_cast<float>((cx - w / 2) * size.width),
                     static_cast<float>((cy - h / 2) * size.height),
                     static_cast<float>((cx + w / 2) * size.width),
                     static_cast<float>((cy + h / 2) * size.height)});
  }
  return boxes;
}

}  // namespace

absl::StatusOr<std::vector<Sample>> LoadDataset(absl::string_view spec) {
  const size_t colon = spec.find(':');
  const absl::string_view kind = spec.substr(0, colon);
  if (colon == absl::string_view::npos || (kind != "voc" && kind != "yolo")) {
    return absl::InvalidArgumentError(
        absl::StrCat("data set '", spec, "': expected voc:FOLDER or yolo:FOLDER"));
  }
  const bool voc = kind == "voc";
  const fs::path root(std::string(spec.substr(colon + 1)));
  const auto images = FirstFolder(root, {"images", "JPEGImages"});
  const auto annotations = voc ? FirstFolder(root, {"annotations", "Annotations"})
                               : FirstFolder(root, {"boxes", "labels"});
  if (!images || !annotations) {
    return absl::NotFoundError(
        absl::StrCat(root.string(), ": no folder with images and ", voc ? "annotations" : "boxes"));
  }
  std::vector<Sample> samples;
  std::error_code error;
  fs::directory_iterator entries(*annotations, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path& annotation = entries->path();
    if (annotation.extension() != (voc ? ".xml" : ".txt")) continue;
    const auto image = ImageOf(*images, annotation.stem().string());
    if (!image) continue;
    OBJECTDINO_ASSIGN_OR_RETURN(std::vector<Box> boxes,
                                voc ? ReadVocBoxes(annotation) : ReadYoloBoxes(annotation, *image));
    if (!boxes.empty())
      samples.push_back({image->filename().string(), image->string(), std::move(boxes)});
  }
  if (error) return absl::NotFoundError(absl::StrCat(annotations->string(), ": ", error.message()));
  std::sort(samples.begin(), samples.end(),
            [](const Sample& a, const Sample& b) { return a.name < b.name; });
  return samples;
}

}  // namespace objectdino
