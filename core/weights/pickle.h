// SPDX-License-Identifier: Apache-2.0
// The part of Python's pickle format that checkpoints of tensors need, read without running
// anything (backbones.md 3.5).
//
// A pickle is a program that may name any function of any module. This reader knows the opcodes of
// protocol 2 that build plain values, and a fixed list of names: those that make tensors, and a few
// that stay opaque. Any other opcode or name is an error, so nothing can be called. Values lie in
// one flat table and refer to each other by index, so hostile nesting costs no stack.
// Thread-safety: pure function. Cost: O(bytes), in memory as well: files above 16 MiB and more than
// a million values are refused.
#ifndef OBJECTDINO_CORE_WEIGHTS_PICKLE_H_
#define OBJECTDINO_CORE_WEIGHTS_PICKLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace objectdino {

struct PickleValue {
  enum class Kind : uint8_t {
    kOpaque,  // None, floats, and objects of which only the presence matters
    kInt,     // also booleans
    kString,
    kSequence,  // list or tuple: `items`
    kDict,      // `items` are key, value, key, value, ...
    kName,      // `text` is "module name"
    kStorage,   // `items` are the type's name, the key and the number of elements
    kTensor,    // `items` are the storage, the offset, the shape and the strides
  };
  Kind kind = Kind::kOpaque;
  int64_t number = 0;
  absl::string_view text = {};  // into the bytes read
  std::vector<uint32_t> items = {};
};

struct Pickle {
  std::vector<PickleValue> values;
  uint32_t root = 0;

  const PickleValue& at(uint32_t index) const { return values[index]; }
  // The value that dictionary `dict` holds under the string `key`, or nullptr.
  const PickleValue* Find(const PickleValue& dict, absl::string_view key) const;
};

// FAILED_PRECONDITION with the place and the reason. `bytes` must outlive the result. Storages and
// tensors have items of the kinds said above; what the numbers say is not checked here.
absl::StatusOr<Pickle> ParsePickle(absl::string_view bytes);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_PICKLE_H_
