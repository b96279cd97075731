// SPDX-License-Identifier: Apache-2.0
// One reader for each kind of data set. Only for dataset.cc; contracts as LoadDataset's, in any
// order, images without objects included. Thread-safety: pure functions of the file system.
#ifndef OBJECTDINO_CORE_EVALUATION_DATASET_READERS_H_
#define OBJECTDINO_CORE_EVALUATION_DATASET_READERS_H_

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "core/evaluation/dataset.h"
#include "core/evaluation/image_list.h"

namespace objectdino {

absl::StatusOr<std::vector<Sample>> ReadVocDataset(const std::filesystem::path& root,
                                                   const std::string& split);
// Only the images that `wanted` contains, if it is not null.
absl::StatusOr<std::vector<Sample>> ReadCocoDataset(const std::filesystem::path& annotations,
                                                    const std::filesystem::path& images, bool masks,
                                                    ImageList* wanted);
absl::StatusOr<std::vector<Sample>> ReadYoloDataset(const std::filesystem::path& root,
                                                    bool polygons);

// The first of root/name that is a folder.
std::optional<std::filesystem::path> FirstFolder(const std::filesystem::path& root,
                                                 std::initializer_list<const char*> names);

// The image file `stem`.jpg, .jpeg, .png or .webp.
std::optional<std::filesystem::path> ImageOf(const std::filesystem::path& images,
                                             const std::string& stem);

// The files in `annotations` with this extension that have an image: (annotation, image).
absl::StatusOr<std::vector<std::pair<std::filesystem::path, std::filesystem::path>>> PairWithImages(
    const std::filesystem::path& annotations, const std::filesystem::path& images,
    const char* extension);

// The text of an annotation file; errors name it.
absl::StatusOr<std::string> ReadAnnotation(const std::filesystem::path& path);

// INVALID_ARGUMENT "FILE:LINE: reason".
absl::Status MalformedLine(const std::filesystem::path& path, int line, absl::string_view reason);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_EVALUATION_DATASET_READERS_H_
