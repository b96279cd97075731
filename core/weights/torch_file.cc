// SPDX-License-Identifier: Apache-2.0
#include "core/weights/torch_file.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "core/base/status_macros.h"
#include "core/weights/zip_archive.h"

namespace objectdino {
namespace {

using Kind = PickleValue::Kind;

constexpr absl::string_view kLegacyMagic =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr absl::string_view kPickleName = "/data.pkl";
constexpr absl::string_view kParts[] = {"teacher", "model", "state_dict", "student"};
constexpr int kMaxParts = 3;
constexpr size_t kMaxDimensions = 16;

absl::Status Bad(absl::string_view name, absl::string_view reason) {
  return absl::FailedPreconditionError(absl::StrCat("tensor ", QuoteName(name), ": ", reason));
}

std::optional<DataType> StorageType(absl::string_view name) {
  static constexpr std::array<std::pair<absl::string_view, DataType>, 10> kTypes = {
      {{"FloatStorage", DataType::kF32},
       {"HalfStorage", DataType::kF16},
       {"BFloat16Storage", DataType::kBf16},
       {"DoubleStorage", DataType::kF64},
       {"LongStorage", DataType::kI64},
       {"IntStorage", DataType::kI32},
       {"ShortStorage", DataType::kI16},
       {"CharStorage", DataType::kI8},
       {"ByteStorage", DataType::kU8},
       {"BoolStorage", DataType::kBool}}};
  absl::ConsumePrefix(&name, "torch\n");
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
  }
  return std::nullopt;
}

bool HoldsTensors(const Pickle& pickle, const PickleValue& value) {
  if (value.kind != Kind::kDict) return false;
  for (size_t i = 1; i < value.items.size(); i += 2) {
    if (pickle.at(value.items[i]).kind == Kind::kTensor) return true;
  }
  return false;
}

std::vector<int64_t> Numbers(const Pickle& pickle, const PickleValue& sequence) {
  std::vector<int64_t> numbers;
  numbers.reserve(sequence.items.size());
  for (const uint32_t item : sequence.items) numbers.push_back(pickle.at(item).number);
  return numbers;
}

// Elements from the first to the last of a tensor, both included; nullopt when the numbers make no
// sense, and also when the tensor would have more elements than its storage (an expanded one), so
// that a small file cannot ask for much memory.
std::optional<int64_t> ElementSpan(const std::vector<int64_t>& shape,
                                   const std::vector<int64_t>& strides, int64_t available) {
  if (std::any_of(shape.begin(), shape.end(), [](int64_t side) { return side < 0; }) ||
      std::any_of(strides.begin(), strides.end(), [](int64_t stride) { return stride < 0; })) {
    return std::nullopt;
  }
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t count = 1;
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(count, shape[i], &count) ||
        __builtin_mul_overflow(shape[i] - 1, strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return std::nullopt;
    }
  }
  if (count > available || last >= available) return std::nullopt;
  return last + 1;
}

bool IsRowMajor(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  int64_t expected = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= std::max<int64_t>(shape[i], 1);
  }
  return true;
}

absl::StatusOr<TensorView> ReadTensor(const Pickle& pickle, absl::string_view name,
                                      const PickleValue& tensor, const TorchStorages& storages) {
  const PickleValue& storage = pickle.at(tensor.items[0]);
  const absl::string_view type_name = pickle.at(storage.items[0]).text;
  const std::optional<DataType> type = StorageType(type_name);
  if (!type) {
    return Bad(name, absl::StrCat("elements of the kind ", absl::CHexEscape(type_name),
                                  " are not supported"));
  }
  const auto found = storages.find(pickle.at(storage.items[1]).text);
  if (found == storages.end()) return Bad(name, "its storage is not in the archive");
  const int size = DataTypeSize(*type);
  const absl::string_view bytes = found->second;
  const int64_t elements = static_cast<int64_t>(bytes.size()) / size;
  if (pickle.at(storage.items[2]).number != elements ||
      bytes.size() % static_cast<size_t>(size) != 0) {
    return Bad(name, absl::StrCat("its storage should have ", pickle.at(storage.items[2]).number,
                                  " elements of ", size, " bytes and has ", bytes.size(),
                                  " bytes; the file is truncated or malformed"));
  }
  const int64_t offset = pickle.at(tensor.items[1]).number;
  const PickleValue& sides = pickle.at(tensor.items[2]);
  const PickleValue& steps = pickle.at(tensor.items[3]);
  if (sides.items.size() != steps.items.size() || sides.items.size() > kMaxDimensions) {
    return Bad(name, "its shape and strides do not fit");
  }
  TensorView view{.type = *type, .shape = Numbers(pickle, sides)};
  std::vector<int64_t> strides = Numbers(pickle, steps);
  if (offset < 0 || offset > elements) return Bad(name, "begins outside of its storage");
  const std::optional<int64_t> span = ElementSpan(view.shape, strides, elements - offset);
  if (!span) return Bad(name, "its shape and strides reach outside of its storage");
  if (*span > 0 && !IsRowMajor(view.shape, strides)) view.strides = std::move(strides);
  view.bytes = {reinterpret_cast<const uint8_t*>(bytes.data()) + offset * size,
                static_cast<size_t>(*span * size)};
  return view;
}

}  // namespace

absl::StatusOr<TorchTable> ReadTensors(const Pickle& pickle, const TorchStorages& storages) {
  TorchTable table;
  const PickleValue* dict = &pickle.at(pickle.root);
  for (int depth = 0; depth < kMaxParts; ++depth) {
    const PickleValue* inner = nullptr;
    for (const absl::string_view part : kParts) {
      const PickleValue* value = dict->kind == Kind::kDict ? pickle.Find(*dict, part) : nullptr;
      if (inner != nullptr || value == nullptr || value->kind != Kind::kDict) continue;
      inner = value;
      absl::StrAppend(&table.part, table.part.empty() ? "" : ".", part);
    }
    if (inner == nullptr) break;
    dict = inner;
  }
  if (!HoldsTensors(pickle, *dict)) {
    return absl::FailedPreconditionError(
        "no dictionary of tensors, neither outermost nor under 'teacher', 'model', 'state_dict' or "
        "'student'");
  }
  for (size_t i = 0; i < dict->items.size(); i += 2) {
    const PickleValue& key = pickle.at(dict->items[i]);
    const PickleValue& value = pickle.at(dict->items[i + 1]);
    if (value.kind != Kind::kTensor) continue;
    if (key.kind != Kind::kString) return absl::FailedPreconditionError("a tensor without a name");
    OBJECTDINO_ASSIGN_OR_RETURN(TensorView view, ReadTensor(pickle, key.text, value, storages));
    if (!table.tensors.emplace(std::string(key.text), std::move(view)).second) {
      return Bad(key.text, "appears twice");
    }
  }
  return table;
}

absl::StatusOr<TorchTable> ParseTorchFile(absl::string_view bytes) {
  OBJECTDINO_ASSIGN_OR_RETURN(const auto members, ParseZipArchive(bytes));
  // All members lie in one folder, whose name is free.
  const auto pickle_member = std::find_if(members.begin(), members.end(), [](const auto& member) {
    return absl::EndsWith(member.first, kPickleName);
  });
  if (pickle_member == members.end()) {
    return absl::FailedPreconditionError("no data.pkl: a zip archive, but no PyTorch checkpoint");
  }
  const std::string folder(absl::StripSuffix(pickle_member->first, "data.pkl"));
  if (members.contains(folder + "constants.pkl")) {
    return absl::FailedPreconditionError(
        "a TorchScript program; the checkpoint of its weights is needed");
  }
  const auto order = members.find(folder + "byteorder");
  if (order != members.end() && order->second != "little") {
    return absl::FailedPreconditionError("written on a big-endian machine");
  }
  TorchStorages storages;
  for (const auto& [name, content] : members) {
    absl::string_view key = name;
    if (absl::ConsumePrefix(&key, folder + "data/")) storages.emplace(key, content);
  }
  OBJECTDINO_ASSIGN_OR_RETURN(const Pickle pickle, ParsePickle(pickle_member->second));
  return ReadTensors(pickle, storages);
}

bool IsLegacyTorchFile(absl::string_view bytes) { return absl::StartsWith(bytes, kLegacyMagic); }

std::string LegacyTorchConversion(absl::string_view path) {
  const auto quote = [](absl::string_view text) {
    return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", R"('\'')"}}), "'");
  };
  return absl::StrCat(
      "python3 -c \"import sys, torch; torch.save(torch.load(sys.argv[1], map_location='cpu', "
      "weights_only=True), sys.argv[2])\" ",
      quote(path), " ", quote(absl::StrCat(path, ".zip.pth")));
}

}  // namespace objectdino
