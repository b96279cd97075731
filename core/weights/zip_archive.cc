// SPDX-License-Identifier: Apache-2.0
#include "core/weights/zip_archive.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr absl::string_view kLocalMagic = "PK\3\4";
constexpr absl::string_view kEntryMagic = "PK\1\2";
constexpr absl::string_view kEndMagic = "PK\5\6";
constexpr absl::string_view kEnd64Magic = "PK\6\6";
constexpr absl::string_view kLocator64Magic = "PK\6\7";
constexpr size_t kLocalBytes = 30;
constexpr size_t kEntryBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocator64Bytes = 20;
constexpr size_t kMaxCommentBytes = 0xffff;
constexpr uint16_t kZip64Extra = 1;
constexpr uint64_t kMaxEntries = 1'000'000;
constexpr uint16_t kEncrypted = 1;
constexpr uint64_t kIn64 = 0xffffffff;  // "see the zip64 record"

absl::Status Bad(absl::string_view reason) {
  return absl::FailedPreconditionError(absl::StrCat("zip archive: ", reason));
}

absl::Status Bad(absl::string_view name, absl::string_view reason) {
  return Bad(absl::StrCat("member '", absl::CHexEscape(name.substr(0, 200)), "' ", reason));
}

// The fields of one record. REQUIRES: they lie inside `record`.
uint64_t Number(absl::string_view record, size_t offset, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = bytes; i-- > 0;) {
    number = number << 8 | static_cast<uint8_t>(record[offset + i]);
  }
  return number;
}

// `count` bytes at `offset`, or nullopt where the file does not hold them.
std::optional<absl::string_view> Slice(absl::string_view bytes, uint64_t offset, uint64_t count) {
  if (offset > bytes.size() || count > bytes.size() - offset) return std::nullopt;
  return bytes.substr(offset, count);
}

std::optional<absl::string_view> Record(absl::string_view bytes, uint64_t offset, size_t count,
                                        absl::string_view magic) {
  const auto record = Slice(bytes, offset, count);
  if (!record || !absl::StartsWith(*record, magic)) return std::nullopt;
  return record;
}

struct Directory {
  uint64_t entries = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

absl::StatusOr<Directory> FindDirectory(absl::string_view bytes) {
  // The end record is the last thing but a comment.
  const size_t window = std::min(bytes.size(), kEndBytes + kMaxCommentBytes);
  const size_t found = bytes.substr(bytes.size() - window).rfind(kEndMagic);
  const auto end = found == absl::string_view::npos
                       ? std::nullopt
                       : Slice(bytes, bytes.size() - window + found, kEndBytes);
  if (!end) return Bad("no end record; the file is truncated or malformed");
  Directory directory{
      .entries = Number(*end, 10, 2), .offset = Number(*end, 16, 4), .bytes = Number(*end, 12, 4)};
  const size_t end_offset = static_cast<size_t>(end->data() - bytes.data());
  const auto locator = end_offset < kLocator64Bytes ? std::nullopt
                                                    : Record(bytes, end_offset - kLocator64Bytes,
                                                             kLocator64Bytes, kLocator64Magic);
  if (locator) {
    const auto end64 = Record(bytes, Number(*locator, 8, 8), kEnd64Bytes, kEnd64Magic);
    if (!end64) return Bad("no zip64 end record where its locator points");
    directory = {.entries = Number(*end64, 32, 8),
                 .offset = Number(*end64, 48, 8),
                 .bytes = Number(*end64, 40, 8)};
  }
  if (directory.entries > kMaxEntries) return Bad("too many members");
  return directory;
}

struct Entry {
  absl::string_view name;
  uint64_t stored = 0;  // bytes in the file
  uint64_t size = 0;    // bytes of the member
  uint64_t offset = 0;  // of its local header
  size_t record_bytes = 0;
};

// The zip64 extra field holds, in this order, those of size, stored size and offset that did not
// fit.
absl::Status ReadZip64(absl::string_view extra, Entry& entry) {
  while (extra.size() >= 4) {
    const auto field = Slice(extra, 4, Number(extra, 2, 2));
    if (!field) return Bad(entry.name, "has an extra field that is cut short");
    if (Number(extra, 0, 2) == kZip64Extra) {
      absl::string_view rest = *field;
      for (uint64_t* value : {&entry.size, &entry.stored, &entry.offset}) {
        if (*value != kIn64) continue;
        if (rest.size() < 8) return Bad(entry.name, "has a zip64 field that is cut short");
        *value = Number(rest, 0, 8);
        rest.remove_prefix(8);
      }
      return absl::OkStatus();
    }
    extra.remove_prefix(4 + field->size());
  }
  return absl::OkStatus();
}

absl::StatusOr<Entry> ReadEntry(absl::string_view directory) {
  const auto record = Record(directory, 0, kEntryBytes, kEntryMagic);
  if (!record) return Bad("the directory is malformed");
  const uint64_t name_bytes = Number(*record, 28, 2);
  const uint64_t extra_bytes = Number(*record, 30, 2);
  const auto name = Slice(directory, kEntryBytes, name_bytes);
  const auto extra = Slice(directory, kEntryBytes + name_bytes, extra_bytes);
  const uint64_t comment_bytes = Number(*record, 32, 2);
  if (!name || !extra || !Slice(directory, kEntryBytes + name_bytes + extra_bytes, comment_bytes)) {
    return Bad("the directory is cut short");
  }
  if ((Number(*record, 8, 2) & kEncrypted) != 0) return Bad(*name, "is encrypted");
  if (Number(*record, 10, 2) != 0) return Bad(*name, "is compressed; PyTorch stores its members");
  Entry entry{.name = *name,
              .stored = Number(*record, 20, 4),
              .size = Number(*record, 24, 4),
              .offset = Number(*record, 42, 4),
              .record_bytes = kEntryBytes + name_bytes + extra_bytes + comment_bytes};
  OBJECTDINO_RETURN_IF_ERROR(ReadZip64(*extra, entry));
  if (entry.stored != entry.size) return Bad(entry.name, "has two sizes");
  return entry;
}

absl::StatusOr<absl::string_view> ReadMember(absl::string_view bytes, const Entry& entry) {
  const auto header = Record(bytes, entry.offset, kLocalBytes, kLocalMagic);
  if (!header) return Bad(entry.name, "has no local header where the directory points");
  // The extra field differs from the directory's: it pads the content to its alignment.
  const uint64_t skip = kLocalBytes + Number(*header, 26, 2) + Number(*header, 28, 2);
  const auto rest = Slice(bytes, entry.offset, bytes.size() - entry.offset);
  const auto content = rest ? Slice(*rest, skip, entry.size) : std::nullopt;
  if (!content) return Bad(entry.name, "reaches beyond the file; the file is truncated");
  return *content;
}

}  // namespace

bool IsZipArchive(absl::string_view bytes) { return absl::StartsWith(bytes, kLocalMagic); }

absl::StatusOr<std::map<std::string, absl::string_view>> ParseZipArchive(absl::string_view bytes) {
  OBJECTDINO_ASSIGN_OR_RETURN(const Directory place, FindDirectory(bytes));
  const auto found = Slice(bytes, place.offset, place.bytes);
  if (!found) return Bad("the directory lies beyond the file");
  absl::string_view directory = *found;
  std::map<std::string, absl::string_view> members;
  for (uint64_t i = 0; i < place.entries; ++i) {
    OBJECTDINO_ASSIGN_OR_RETURN(const Entry entry, ReadEntry(directory));
    directory.remove_prefix(entry.record_bytes);
    OBJECTDINO_ASSIGN_OR_RETURN(const absl::string_view content, ReadMember(bytes, entry));
    if (!members.emplace(std::string(entry.name), content).second) {
      return Bad(entry.name, "appears twice");
    }
  }
  return members;
}

}  // namespace objectdino
