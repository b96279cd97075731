// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/image_files.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "core/base/read_file.h"
#include "core/base/status_macros.h"
#include "core/image/decode.h"
#include "core/image/header.h"

namespace objectdino {
namespace {

namespace fs = std::filesystem;

bool HasImageExtension(const fs::path& path) {
  const std::string extension = absl::AsciiStrToLower(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".webp";
}

std::vector<std::string> ImagesOfFolder(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> images;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (HasImageExtension(entry->path()) && !entry->is_directory(ignored)) {
      images.push_back(entry->path().string());
    }
  }
  std::sort(images.begin(), images.end());
  return images;
}

}  // namespace

std::vector<std::string> ListImages(const std::vector<std::string>& paths) {
  std::vector<std::string> images;
  for (const std::string& path : paths) {
    std::error_code ignored;
    const std::vector<std::string> inside =
        fs::is_directory(path, ignored) ? ImagesOfFolder(path) : std::vector<std::string>();
    if (inside.empty()) {
      images.push_back(path);
    } else {
      images.insert(images.end(), inside.begin(), inside.end());
    }
  }
  return images;
}

absl::StatusOr<std::string> ReadImageFile(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    return absl::NotFoundError("a folder without readable JPEG, PNG or WebP files");
  }
  return ReadFile(path);
}

absl::StatusOr<ImageSize> GroundedSize(const std::string& bytes, const v1::ImageInfo& info) {
  OBJECTDINO_ASSIGN_OR_RETURN(const ImageHeader header, ReadImageHeader(bytes));
  const ImageSize stored = header.stored_size;
  // The server may have been told to leave the image as it is stored.
  for (const ImageSize size : {stored, ImageSize{stored.width, stored.height}}) {
    if (static_cast<int64_t>(info.height()) == size.height &&
        static_cast<int64_t>(info.width()) == size.width) {
      return size;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the answer is for an image of ", info.height(), " x ", info.width(),
                   " (height x width), this one has ", stored.height, " x ", stored.width));
}

absl::StatusOr<Image> DecodeGrounded(const std::string& bytes, const v1::ImageInfo& info) {
  OBJECTDINO_ASSIGN_OR_RETURN(const ImageSize size, GroundedSize(bytes, info));
  // The limits are the server's, which has accepted an image of this size.
  DecodeOptions options;
  options.max_pixels = int64_t{size.height} * size.width;
  options.max_dimension = std::max(size.height, size.width);
  OBJECTDINO_ASSIGN_OR_RETURN(DecodedImage decoded, DecodeImage(bytes, options));
  return std::move(decoded.image);
}

std::vector<std::string> OutputNames(const std::vector<std::string>& paths) {
  std::map<std::string, int> stems;
  for (const std::string& path : paths) ++stems[fs::path(path).stem().string()];
  std::vector<std::string> names;
  std::set<std::string> used;
  for (const std::string& path : paths) {
    const std::string stem = fs::path(path).stem().string();
    const std::string base = stems[stem] == 1 ? stem : fs::path(path).filename().string();
    std::string name = base;
    for (int n = 2; !used.insert(name).second; ++n) name = absl::StrCat(base, "-", n);
    names.push_back(name);
  }
  return names;
}

absl::Status WriteFile(const fs::path& path, absl::string_view bytes) {
  fs::path temporary = path;
  temporary += ".part";
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  std::error_code error;
  if (!file) {
    error = std::error_code(errno, std::generic_category());
  } else {
    fs::rename(temporary, path, error);
  }
  if (!error) return absl::OkStatus();
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return absl::FailedPreconditionError(
      absl::StrCat(path.string(), " cannot be written: ", error.message()));
}

}  // namespace objectdino
