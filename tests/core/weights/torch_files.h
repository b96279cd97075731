// SPDX-License-Identifier: Apache-2.0
// Writes PyTorch checkpoints for tests: pickles opcode by opcode, and zip archives.
#ifndef OBJECTDINO_TESTS_CORE_WEIGHTS_TORCH_FILES_H_
#define OBJECTDINO_TESTS_CORE_WEIGHTS_TORCH_FILES_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace objectdino::testing {

inline std::string LittleEndian(uint64_t number, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i, number >>= 8) out += static_cast<char>(number);
  return out;
}

// ---- pickles ----

inline std::string PickleOf(const std::string& program) { return "\x80\x02" + program + "."; }
inline std::string Text(const std::string& text) {
  return absl::StrCat("X", LittleEndian(text.size(), 4), text);
}
inline std::string Integer(int64_t number) {
  return absl::StrCat("\x8a\x08", LittleEndian(static_cast<uint64_t>(number), 8));
}
inline std::string Name(const std::string& module, const std::string& name) {
  return absl::StrCat("c", module, "\n", name, "\n");
}
inline std::string Tuple(const std::vector<std::string>& items) {
  return absl::StrCat("(", absl::StrJoin(items, ""), "t");
}
inline std::string Integers(const std::vector<int64_t>& numbers) {
  std::vector<std::string> items;
  items.reserve(numbers.size());
  for (const int64_t number : numbers) items.push_back(Integer(number));
  return Tuple(items);
}
// Keys and values in turn.
inline std::string Dictionary(const std::vector<std::string>& items) {
  return absl::StrCat("}(", absl::StrJoin(items, ""), "u");
}

struct PickledTensor {
  std::string type = "FloatStorage";
  std::string storage = "0";
  int64_t elements = 0;  // of the storage
  int64_t offset = 0;
  std::vector<int64_t> shape = {};
  std::vector<int64_t> strides = {};
};

inline std::string PickleTensor(const PickledTensor& tensor) {
  const std::string id = Tuple({Text("storage"), Name("torch", tensor.type), Text(tensor.storage),
                                Text("cpu"), Integer(tensor.elements)});
  return Name("torch._utils", "_rebuild_tensor_v2") +
         Tuple({id + "Q", Integer(tensor.offset), Integers(tensor.shape), Integers(tensor.strides),
                "\x89", Name("collections", "OrderedDict") + ")R"}) +
         "R";
}

// ---- zip archives ----

struct ZipOptions {
  uint16_t flags = 0;
  uint16_t method = 0;
  int padding = 0;     // bytes of extra field in the local headers
  bool zip64 = false;  // directory and members through zip64 records
};

inline std::string MakeZip(const std::vector<std::pair<std::string, std::string>>& members,
                           const ZipOptions& options = {}) {
  std::string out;
  std::string directory;
  for (const auto& [name, content] : members) {
    const std::string fixed = LittleEndian(options.flags, 2) + LittleEndian(options.method, 2) +
                              LittleEndian(0, 8);  // time and checksum
    const uint64_t size = content.size();
    const uint64_t offset = out.size();
    const std::string sizes = LittleEndian(size, 4) + LittleEndian(size, 4);
    absl::StrAppend(&out, "PK\3\4", LittleEndian(0, 2), fixed, sizes, LittleEndian(name.size(), 2),
                    LittleEndian(options.padding, 2), name, std::string(options.padding, 'F'),
                    content);
    const std::string extra = LittleEndian(7, 2) + LittleEndian(0, 2) + LittleEndian(1, 2) +
                              LittleEndian(24, 2) + LittleEndian(size, 8) + LittleEndian(size, 8) +
                              LittleEndian(offset, 8);
    const std::string far = LittleEndian(0xffffffff, 4);
    absl::StrAppend(&directory, "PK\1\2", LittleEndian(0, 4), fixed,
                    options.zip64 ? far + far : sizes, LittleEndian(name.size(), 2),
                    LittleEndian(options.zip64 ? extra.size() : 0, 2), LittleEndian(0, 10));
    absl::StrAppend(&directory, options.zip64 ? far : LittleEndian(offset, 4), name,
                    options.zip64 ? extra : "");
  }
  const uint64_t start = out.size();
  const uint64_t bytes = directory.size();
  out += directory;
  if (options.zip64) {
    const uint64_t end64 = out.size();
    absl::StrAppend(&out, "PK\6\6", LittleEndian(44, 8), LittleEndian(0, 12),
                    LittleEndian(members.size(), 8), LittleEndian(members.size(), 8),
                    LittleEndian(bytes, 8), LittleEndian(start, 8));
    absl::StrAppend(&out, "PK\6\7", LittleEndian(0, 4), LittleEndian(end64, 8), LittleEndian(1, 4));
  }
  const uint64_t count = options.zip64 ? 0xffff : members.size();
  return absl::StrCat(out, "PK\5\6", LittleEndian(0, 4), LittleEndian(count, 2),
                      LittleEndian(count, 2), LittleEndian(options.zip64 ? 0xffffffff : bytes, 4),
                      LittleEndian(options.zip64 ? 0xffffffff : start, 4), LittleEndian(0, 2));
}

// As torch.save arranges them.
inline std::string MakeTorchFile(const std::string& pickle,
                                 const std::map<std::string, std::string>& storages) {
  std::vector<std::pair<std::string, std::string>> members = {{"x/data.pkl", pickle},
                                                              {"x/byteorder", "little"}};
  for (const auto& [key, content] : storages) members.emplace_back("x/data/" + key, content);
  members.emplace_back("x/version", "3\n");
  return MakeZip(members, {.padding = 13});
}

}  // namespace objectdino::testing

#endif  // OBJECTDINO_TESTS_CORE_WEIGHTS_TORCH_FILES_H_
