// SPDX-License-Identifier: Apache-2.0
#include "core/weights/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation
constexpr size_t kMaxSides = 64;  // so that a header's numbers take no more memory than its names

constexpr DataType kDataTypes[] = {DataType::kF64, DataType::kF32, DataType::kF16, DataType::kBf16,
                                   DataType::kI64, DataType::kI32, DataType::kI16, DataType::kI8,
                                   DataType::kU8,  DataType::kBool};

std::optional<DataType> FindDataType(absl::string_view name) {
  for (const DataType type : kDataTypes) {
    if (name == DataTypeName(type)) return type;
  }
  return std::nullopt;
}

struct Entry {
  std::optional<DataType> type;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<int64_t>> offsets;
};

// Accepts exactly {"name": {"dtype": "..", "shape": [..], "data_offsets": [..]}, "__metadata__":
// {"..": ".."}}. Events instead of a document: duplicate keys show, and nothing is built for deep
// nesting.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::map<std::string, Entry> entries;
  std::map<std::string, std::string> metadata;
  absl::Status status;

  bool null() override { return Unexpected("null"); }
  bool boolean(bool /*value*/) override { return Unexpected("a boolean"); }
  bool number_integer(int64_t /*value*/) override { return Unexpected("a negative number"); }
  bool number_float(double /*value*/, const std::string& /*text*/) override {
    return Unexpected("a number that is not an integer");
  }
  bool binary(nlohmann::json::binary_t& /*value*/) override { return Unexpected("binary"); }

  bool number_unsigned(uint64_t value) override {
    if (numbers_ == nullptr) return Unexpected("a number");
    if (value > uint64_t{std::numeric_limits<int64_t>::max()}) return Unexpected("a huge number");
    if (numbers_->size() >= kMaxSides) return Fail("more dimensions than any tensor has");
    numbers_->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(std::string& value) override {
    if (level_ == 2 && in_metadata_) {
      return metadata.emplace(field_, value).second || Fail("duplicate metadata key");
    }
    if (level_ != 2 || field_ != "dtype") return Unexpected("a string");
    if (entry_->type) return Fail("duplicate key 'dtype'");
    entry_->type = FindDataType(value);
    return entry_->type.has_value() || Fail(absl::StrCat("unknown dtype ", QuoteName(value)));
  }

  bool start_object(size_t /*elements*/) override {
    if (numbers_ != nullptr || level_ == 2) return Unexpected("an object");
    return ++level_ > 0;
  }

  bool end_object() override {
    if (level_ == 2) field_.clear();
    return --level_ >= 0;
  }

  bool key(std::string& value) override {
    if (level_ == 2) {
      field_ = value;
      return true;
    }
    name_ = value;
    in_metadata_ = value == "__metadata__";
    if (in_metadata_) return !std::exchange(metadata_seen_, true) || Fail("duplicate key");
    const auto [position, inserted] = entries.try_emplace(value);
    entry_ = &position->second;
    return inserted || Fail("duplicate name");
  }

  bool start_array(size_t /*elements*/) override {
    if (level_ != 2 || in_metadata_ || numbers_ != nullptr) return Unexpected("an array");
    if (field_ != "shape" && field_ != "data_offsets") return Unexpected("an array");
    auto& target = field_ == "shape" ? entry_->shape : entry_->offsets;
    if (target) return Fail(absl::StrCat("duplicate key '", field_, "'"));
    numbers_ = &target.emplace();
    return true;
  }

  bool end_array() override {
    numbers_ = nullptr;
    return true;
  }

  bool parse_error(size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& /*error*/) override {
    status = absl::FailedPreconditionError(
        absl::StrCat("the header is not valid JSON at byte ", position));
    return false;
  }

 private:
  bool Fail(absl::string_view reason) {
    status = absl::FailedPreconditionError(absl::StrCat("tensor ", QuoteName(name_), ": ", reason));
    return false;
  }
  bool Unexpected(absl::string_view what) {
    return Fail(field_.empty() ? absl::StrCat("unexpected ", what)
                               : absl::StrCat("unexpected ", what, " at key ", QuoteName(field_)));
  }

  int level_ = 0;  // 1 = the header, 2 = a tensor or the metadata
  bool in_metadata_ = false;
  bool metadata_seen_ = false;
  std::string name_;
  std::string field_;
  Entry* entry_ = nullptr;
  std::vector<int64_t>* numbers_ = nullptr;  // the array being read
};

// Bytes of a tensor, or nullopt when the product does not fit.
std::optional<int64_t> ByteCount(DataType type, const std::vector<int64_t>& shape) {
  // A zero anywhere means no bytes, whatever the other sides are.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t count = DataTypeSize(type);
  for (const int64_t side : shape) {
    if (__builtin_mul_overflow(count, side, &count)) return std::nullopt;
  }
  return count;
}

absl::Status Bad(absl::string_view name, absl::string_view reason) {
  return absl::FailedPreconditionError(absl::StrCat("tensor ", QuoteName(name), ": ", reason));
}

absl::StatusOr<TensorView> MakeView(const std::string& name, Entry entry, absl::string_view data) {
  if (!entry.type) return Bad(name, "key 'dtype' is missing");
  if (!entry.shape) return Bad(name, "key 'shape' is missing");
  if (!entry.offsets) return Bad(name, "key 'data_offsets' is missing");
  if (entry.offsets->size() != 2) return Bad(name, "data_offsets must hold two numbers");
  const int64_t begin = (*entry.offsets)[0];
  const int64_t end = (*entry.offsets)[1];
  if (begin > end) return Bad(name, "data_offsets are in the wrong order");
  if (end > static_cast<int64_t>(data.size())) {
    return Bad(name, absl::StrCat("data_offsets end at byte ", end, " of ", data.size(),
                                  "; the file is truncated or malformed"));
  }
  const std::optional<int64_t> expected = ByteCount(*entry.type, *entry.shape);
  if (!expected) return Bad(name, "the shape overflows");
  if (*expected != end - begin) {
    return Bad(name, absl::StrCat("dtype and shape need ", *expected, " bytes, data_offsets span ",
                                  end - begin));
  }
  return TensorView{.type = *entry.type,
                    .shape = *std::move(entry.shape),
                    .bytes = {reinterpret_cast<const uint8_t*>(data.data()) + begin,
                              static_cast<size_t>(end - begin)}};
}

// Sorted by place, each tensor must begin where the one before ends, and the last one must end the
// file.
absl::Status CheckCoverage(const std::map<std::string, TensorView>& tensors,
                           absl::string_view data) {
  struct Range {
    int64_t begin;
    int64_t end;
    const std::string* name;
  };
  std::vector<Range> ranges;
  ranges.reserve(tensors.size());
  const auto* base = reinterpret_cast<const uint8_t*>(data.data());
  for (const auto& [name, view] : tensors) {
    const int64_t begin = view.bytes.data() - base;
    ranges.push_back({begin, begin + static_cast<int64_t>(view.bytes.size()), &name});
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  int64_t covered = 0;
  for (const Range& range : ranges) {
    if (range.begin < covered) return Bad(*range.name, "its bytes overlap another tensor's");
    if (range.begin > covered) {
      return Bad(*range.name, absl::StrCat(range.begin - covered, " unused bytes before it"));
    }
    covered = range.end;
  }
  if (covered != static_cast<int64_t>(data.size())) {
    return absl::FailedPreconditionError(
        absl::StrCat(data.size() - static_cast<size_t>(covered), " bytes after the last tensor"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsTable> ParseSafetensors(absl::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return absl::FailedPreconditionError("shorter than the header length");
  }
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
  if (length > kMaxHeaderBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("header of ", length, " bytes, the limit is ", kMaxHeaderBytes));
  }
  if (length > bytes.size() - kLengthBytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("header of ", length, " bytes in a file of ", bytes.size()));
  }
  const absl::string_view header = bytes.substr(kLengthBytes, length);
  const absl::string_view data = bytes.substr(kLengthBytes + length);
  // The JSON reader would skip a byte order mark and stop quietly at a NUL.
  if (header.empty() || header[0] != '{' || header.find('\0') != absl::string_view::npos) {
    return absl::FailedPreconditionError("the header is not a JSON object");
  }
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header.begin(), header.end(), &reader)) return reader.status;

  SafetensorsTable table;
  table.metadata = std::move(reader.metadata);
  for (auto& [name, entry] : reader.entries) {
    OBJECTDINO_ASSIGN_OR_RETURN(TensorView view, MakeView(name, std::move(entry), data));
    table.tensors.emplace(name, std::move(view));
  }
  OBJECTDINO_RETURN_IF_ERROR(CheckCoverage(table.tensors, data));
  return table;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  OBJECTDINO_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  std::unique_ptr<SafetensorsFile> result(new SafetensorsFile(std::move(file)));
  absl::StatusOr<SafetensorsTable> table = ParseSafetensors(result->bytes());
  if (!table.ok()) {
    return absl::Status(table.status().code(), absl::StrCat(path, ": ", table.status().message()));
  }
  result->table_ = *std::move(table);
  return result;
}

}  // namespace objectdino
