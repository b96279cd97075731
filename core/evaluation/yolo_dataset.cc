// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"
#include "core/evaluation/dataset_readers.h"
#include "core/image/header.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<ImageSize> UprightSizeOf(const fs::path& path) {
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string bytes, ReadAnnotation(path));
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  if (!header.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": ", header.status().message()));
  }
  ImageSize size = header->stored_size;
  if (header->exif_orientation >= 5) std::swap(size.height, size.width);
  return size;
}

// The numbers of a line after its first word, which goes to `label`; nothing where one is none.
std::vector<double> NumbersOf(const std::string& line, std::string& label) {
  std::istringstream words(line);
  words >> label;
  std::vector<double> numbers;
  double value = 0;
  for (std::string word; words >> word;) {
    if (!absl::SimpleAtod(word, &value) || !std::isfinite(value)) return {};
    numbers.push_back(value);
  }
  return numbers;
}

// "class cx cy w h"
absl::StatusOr<TruthObject> ParseBox(const std::string& line, ImageSize size) {
  TruthObject object;
  const std::vector<double> v = NumbersOf(line, object.label);
  if (v.size() > 4) {
    return absl::InvalidArgumentError(
        "expected 'class cx cy w h', found more numbers (polygons are read as yolo-seg:)");
  }
  if (v.size() != 4 || !(v[2] > 0) || !(v[3] > 0)) {
    return absl::InvalidArgumentError("expected 'class cx cy w h'");
  }
  object.box = {static_cast<float>((v[0] - v[2] / 2) * size.width),
                static_cast<float>((v[1] - v[3] / 2) * size.height),
                static_cast<float>((v[0] + v[2] / 2) * size.width),
                static_cast<float>((v[1] + v[3] / 2) * size.height)};
  return object;
}

// "class x y x y x y ..."
absl::StatusOr<TruthObject> ParsePolygon(const std::string& line, ImageSize size) {
  TruthObject object;
  const std::vector<double> v = NumbersOf(line, object.label);
  if (v.size() < 6 || v.size() % 2 != 0) {
    return absl::InvalidArgumentError("expected 'class x y x y x y ...'");
  }
  Polygon polygon;
  for (size_t i = 0; i < v.size(); i += 2) {
    polygon.push_back(
        {static_cast<float>(v[i] * size.width), static_cast<float>(v[i + 1] * size.height)});
  }
  Box& box = object.box;
  box = {polygon[0].x, polygon[0].y, polygon[0].x, polygon[0].y};
  for (const Vertex& vertex : polygon) {
    box = {std::min(box.x1, vertex.x), std::min(box.y1, vertex.y), std::max(box.x2, vertex.x),
           std::max(box.y2, vertex.y)};
  }
  if (!(box.x1 < box.x2 && box.y1 < box.y2)) {
    return absl::InvalidArgumentError("a polygon without area");
  }
  object.mask.emplace().polygons.push_back(std::move(polygon));
  return object;
}

}  // namespace

absl::StatusOr<std::vector<Sample>> ReadYoloDataset(const fs::path& root, bool polygons) {
  const char* folder = polygons ? "polygons" : "boxes";
  const auto images = FirstFolder(root, {"images", "JPEGImages"});
  const auto annotations = FirstFolder(root, {folder, "labels"});
  if (!images || !annotations) {
    return absl::NotFoundError(absl::StrCat(root.string(), ": no folder with images and ", folder));
  }
  OBJECTDINO_ASSIGN_OR_RETURN(const auto pairs, PairWithImages(*annotations, *images, ".txt"));
  std::vector<Sample> samples;
  for (const auto& [annotation, image] : pairs) {
    Sample& sample = samples.emplace_back();
    sample.name = image.filename().string();
    sample.image_path = image.string();
    OBJECTDINO_ASSIGN_OR_RETURN(const ImageSize size, UprightSizeOf(image));
    OBJECTDINO_ASSIGN_OR_RETURN(const std::string text, ReadAnnotation(annotation));
    std::istringstream lines(text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      auto object = polygons ? ParsePolygon(line, size) : ParseBox(line, size);
      if (!object.ok()) return MalformedLine(annotation, number, object.status().message());
      sample.objects.push_back(*std::move(object));
    }
  }
  return samples;
}

}  // namespace objectdino
