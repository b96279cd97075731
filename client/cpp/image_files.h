// SPDX-License-Identifier: Apache-2.0
// From the paths on a command line to image files, their bytes, and names for what is made of them.
#ifndef OBJECTDINO_CLIENT_CPP_IMAGE_FILES_H_
#define OBJECTDINO_CLIENT_CPP_IMAGE_FILES_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/image/image.h"
#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

// A folder becomes its .jpg, .jpeg, .png and .webp files, sorted by name, sub-folders left alone;
// any other path stays as it is, in the order given. So does a folder without images, for
// ReadImageFile to complain about.
std::vector<std::string> ListImages(const std::vector<std::string>& paths);

// NOT_FOUND: cannot be read, or is a folder. INVALID_ARGUMENT: above 1 GiB.
absl::StatusOr<std::string> ReadImageFile(const std::string& path);

// The upright size of a file, by its own word: what a server says of it sizes no memory.
// INVALID_ARGUMENT: not an image, or the answer is for one of another size.
absl::StatusOr<ImageSize> GroundedSize(const std::string& bytes, const v1::ImageInfo& info);

// The upright pixels of a file that the server accepted and answered with `info`: decoded as it
// did. INVALID_ARGUMENT as GroundedSize and DecodeImage.
absl::StatusOr<Image> DecodeGrounded(const std::string& bytes, const v1::ImageInfo& info);

// One distinct name an image, for output files: the file's name without extension ("cat"); with it
// where two images would share that ("cat.jpg", "cat.png"); with a number where even those are
// equal
// ("cat.jpg-2").
std::vector<std::string> OutputNames(const std::vector<std::string>& paths);

// Writes the whole file or none of it: to a temporary name beside it, then renamed.
absl::Status WriteFile(const std::filesystem::path& path, absl::string_view bytes);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_IMAGE_FILES_H_
