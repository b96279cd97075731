// SPDX-License-Identifier: Apache-2.0
#include "core/evaluation/dataset.h"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"
#include "core/evaluation/dataset_readers.h"
#include "core/evaluation/image_list.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

absl::Status CheckOptions(const DatasetOptions& options, absl::string_view kind) {
  static constexpr absl::string_view kKinds[] = {"voc", "coco", "yolo", "yolo-seg"};
  if (absl::c_find(kKinds, kind) == std::end(kKinds) || kind.size() == options.spec.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("data set '", options.spec,
                     "': expected voc:FOLDER, coco:FILE.json, yolo:FOLDER or yolo-seg:FOLDER"));
  }
  if (!options.split.empty() && kind != "voc") {
    return absl::InvalidArgumentError("only a voc: data set has splits");
  }
  if (options.images.empty() == (kind == "coco")) {
    return absl::InvalidArgumentError("a coco: data set, and no other, needs the folder of images");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Box> Sample::Boxes() const {
  std::vector<Box> boxes;
  boxes.reserve(objects.size());
  for (const TruthObject& object : objects) boxes.push_back(object.box);
  return boxes;
}

absl::StatusOr<std::vector<Sample>> LoadDataset(const DatasetOptions& options) {
  const std::string kind = options.spec.substr(0, options.spec.find(':'));
  OBJECTDINO_RETURN_IF_ERROR(CheckOptions(options, kind));
  std::optional<ImageList> list;
  if (!options.image_ids.empty()) {
    OBJECTDINO_ASSIGN_OR_RETURN(list, ImageList::Read(options.image_ids));
  }
  const fs::path path(options.spec.substr(kind.size() + 1));
  std::vector<Sample> samples;
  if (kind == "voc") {
    OBJECTDINO_ASSIGN_OR_RETURN(samples, ReadVocDataset(path, options.split));
  } else if (kind == "coco") {
    OBJECTDINO_ASSIGN_OR_RETURN(
        samples, ReadCocoDataset(path, options.images, options.masks, list ? &*list : nullptr));
  } else {
    OBJECTDINO_ASSIGN_OR_RETURN(samples, ReadYoloDataset(path, kind == "yolo-seg"));
  }
  if (list && kind != "coco") {
    std::erase_if(samples, [&list](const Sample& s) { return !list->Contains(s.name, ""); });
  }
  if (list) OBJECTDINO_RETURN_IF_ERROR(list->CheckAllFound());
  std::erase_if(samples, [](const Sample& sample) { return sample.objects.empty(); });
  absl::c_sort(samples, [](const Sample& a, const Sample& b) { return a.name < b.name; });
  return samples;
}

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
    fs::path path = images / (stem + extension);
    if (fs::exists(path, ignored)) return path;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<std::pair<fs::path, fs::path>>> PairWithImages(
    const fs::path& annotations, const fs::path& images, const char* extension) {
  std::vector<std::pair<fs::path, fs::path>> pairs;
  std::error_code error;
  fs::directory_iterator entries(annotations, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path& annotation = entries->path();
    if (annotation.extension() != extension) continue;
    auto image = ImageOf(images, annotation.stem().string());
    if (image) pairs.emplace_back(annotation, *std::move(image));
  }
  if (error) return absl::NotFoundError(absl::StrCat(annotations.string(), ": ", error.message()));
  absl::c_sort(pairs);
  return pairs;
}

absl::StatusOr<std::string> ReadAnnotation(const fs::path& path) {
  absl::StatusOr<std::string> text = ReadFile(path.string());
  if (text.ok()) return text;
  return absl::Status(text.status().code(),
                      absl::StrCat(path.string(), ": ", text.status().message()));
}

absl::Status MalformedLine(const fs::path& path, int line, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(path.string(), ":", line, ": ", reason));
}

}  // namespace objectdino
