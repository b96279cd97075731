// SPDX-License-Identifier: Apache-2.0
#include "core/weights/pickle.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

using Kind = PickleValue::Kind;

constexpr size_t kMaxPickleBytes = size_t{16} << 20;
constexpr size_t kMaxValues = 1'000'000;
constexpr size_t kMaxNameBytes = 100;
constexpr size_t kMaxSides = 64;  // so that one long list cannot be the shape of many tensors

constexpr absl::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr absl::string_view kRebuildParameter = "torch._utils _rebuild_parameter";
constexpr absl::string_view kOrderedDict = "collections OrderedDict";
// What training scripts put beside the weights: read over, never made.
constexpr absl::string_view kInertNames[] = {"argparse Namespace",
                                             "torch Size",
                                             "torch device",
                                             "numpy dtype",
                                             "numpy.core.multiarray scalar",
                                             "numpy._core.multiarray scalar",
                                             "_codecs encode"};

bool IsStorageType(absl::string_view name) {
  return absl::StartsWith(name, "torch ") && absl::EndsWith(name, "Storage");
}

bool IsAllowed(absl::string_view name) {
  if (name.size() > kMaxNameBytes) return false;
  return name == kRebuildTensor || name == kRebuildParameter || name == kOrderedDict ||
         IsStorageType(name) ||
         std::find(std::begin(kInertNames), std::end(kInertNames), name) != std::end(kInertNames);
}

// Executes the opcodes on a stack of indices into the table of values.
class Machine {
 public:
  explicit Machine(absl::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<Pickle> Run() {
    if (bytes_.size() > kMaxPickleBytes) return Bad("larger than any checkpoint's");
    if (bytes_.size() < 2 || bytes_[0] != '\x80') return Bad("no protocol opcode");
    if (bytes_[1] != 2) return Bad("a protocol other than 2");
    place_ = 2;
    while (status_.ok() && !stopped_) Step();
    if (!status_.ok()) return status_;
    if (stack_.size() != 1 || !marks_.empty()) return Bad("values left over");
    return Pickle{.values = std::move(values_), .root = stack_.back()};
  }

 private:
  absl::Status Bad(absl::string_view reason) const {
    return absl::FailedPreconditionError(absl::StrCat("pickle, byte ", place_, ": ", reason));
  }
  void Fail(absl::string_view reason) {
    if (status_.ok()) status_ = Bad(reason);
  }

  // ---- reading; after a failure zeros and empty strings follow ----

  absl::string_view Take(size_t count) {
    if (count > bytes_.size() - place_) {
      Fail("cut short");
      return {};
    }
    place_ += count;
    return bytes_.substr(place_ - count, count);
  }
  uint64_t TakeNumber(size_t count) {
    uint64_t number = 0;
    const absl::string_view bytes = Take(count);
    for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
    return number;
  }
  absl::string_view TakeLine() {
    const size_t end = bytes_.find('\n', place_);
    if (end == absl::string_view::npos) {
      Fail("cut short");
      return {};
    }
    const absl::string_view line = Take(end - place_);
    Take(1);
    return line;
  }

  // ---- the stack ----

  void Push(PickleValue value) {
    if (values_.size() >= kMaxValues) return Fail("more values than any checkpoint's");
    values_.push_back(std::move(value));
    stack_.push_back(static_cast<uint32_t>(values_.size() - 1));
  }
  // What lies above the last mark, or at the very bottom, cannot be popped past it.
  bool Has(size_t count) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor >= count) return true;
    Fail("the stack is too short");
    return false;
  }
  uint32_t Pop() {
    const uint32_t top = stack_.back();
    stack_.pop_back();
    return top;
  }
  std::optional<std::vector<uint32_t>> PopToMark() {
    if (marks_.empty()) {
      Fail("no mark");
      return std::nullopt;
    }
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<uint32_t> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  void PushTuple(size_t count) {
    if (!Has(count)) return;
    std::vector<uint32_t> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    Push({.kind = Kind::kSequence, .items = std::move(items)});
  }
  void PushInt(int64_t number) { Push({.kind = Kind::kInt, .number = number}); }
  void Extend(Kind kind, const std::vector<uint32_t>& items) {
    if (!Has(1)) return;
    PickleValue& target = values_[stack_.back()];
    // The attributes of opaque objects are not kept.
    if (target.kind == Kind::kOpaque) return;
    if (target.kind != kind) return Fail("items for a value that takes none");
    if (kind == Kind::kDict && items.size() % 2 != 0) return Fail("a key without a value");
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  // ---- what opcodes do ----

  void PushName() {
    const size_t begin = place_;
    const absl::string_view module = TakeLine();
    const absl::string_view name = TakeLine();
    if (!status_.ok()) return;
    // Both lines without the last line break; the break between them reads as the space that the
    // list has.
    const std::string full = absl::StrCat(module, " ", name);
    if (!IsAllowed(full)) {
      place_ = begin;
      return Fail(absl::StrCat("names '",
                               absl::CHexEscape(absl::StrCat(module, ".", name).substr(0, 200)),
                               "', which no checkpoint of tensors needs; the file may be hostile"));
    }
    Push({.kind = Kind::kName, .text = bytes_.substr(begin, module.size() + 1 + name.size())});
  }

  void PersistentId() {
    if (!Has(1)) return;
    const PickleValue& id = values_[Pop()];
    // ('storage', type, key, location, elements)
    if (id.kind != Kind::kSequence || id.items.size() < 5 || id.items.size() > 6 ||
        Item(id, 0).text != "storage" || Item(id, 1).kind != Kind::kName ||
        Item(id, 2).kind != Kind::kString || Item(id, 4).kind != Kind::kInt) {
      return Fail("a persistent id that is no storage");
    }
    Push({.kind = Kind::kStorage, .items = {id.items[1], id.items[2], id.items[4]}});
  }

  void Call() {
    if (!Has(2)) return;
    const PickleValue& arguments = values_[Pop()];
    const PickleValue& function = values_[Pop()];
    if (function.kind != Kind::kName || arguments.kind != Kind::kSequence) {
      return Fail("a call of what is no function");
    }
    const std::string name = NameOf(function);
    if (name == kOrderedDict) {
      if (!arguments.items.empty()) return Fail("an OrderedDict with arguments");
      Push({.kind = Kind::kDict});
    } else if (name == kRebuildTensor) {
      RebuildTensor(arguments);
    } else if (name == kRebuildParameter) {
      if (arguments.items.empty() || Item(arguments, 0).kind != Kind::kTensor) {
        return Fail("a parameter that is no tensor");
      }
      stack_.push_back(arguments.items[0]);
    } else if (IsStorageType(name)) {
      Fail("a storage outside of the archive");
    } else {
      Push({});
    }
  }

  void RebuildTensor(const PickleValue& arguments) {
    const std::vector<uint32_t>& items = arguments.items;
    if (items.size() < 4 || Item(arguments, 0).kind != Kind::kStorage ||
        Item(arguments, 1).kind != Kind::kInt || !IsIntegers(Item(arguments, 2)) ||
        !IsIntegers(Item(arguments, 3))) {
      return Fail("a tensor of unexpected parts");
    }
    Push({.kind = Kind::kTensor, .items = {items[0], items[1], items[2], items[3]}});
  }

  bool IsIntegers(const PickleValue& value) const {
    return value.kind == Kind::kSequence && value.items.size() <= kMaxSides &&
           std::all_of(value.items.begin(), value.items.end(),
                       [this](uint32_t i) { return values_[i].kind == Kind::kInt; });
  }
  const PickleValue& Item(const PickleValue& value, size_t i) const {
    return values_[value.items[i]];
  }
  static std::string NameOf(const PickleValue& value) {
    std::string name(value.text);
    std::replace(name.begin(), name.end(), '\n', ' ');
    return name;
  }

  void Remember(uint64_t slot) {
    if (!Has(1)) return;
    if (memo_.size() >= kMaxValues) return Fail("more memo slots than any checkpoint's");
    memo_[slot] = stack_.back();
  }
  void Recall(uint64_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) return Fail("a memo slot that was never filled");
    stack_.push_back(found->second);
  }

  void Step() {
    const absl::string_view opcode = Take(1);
    if (opcode.empty()) return;
    switch (opcode[0]) {
      case '.':  // STOP
        stopped_ = true;
        return;
      case '(':  // MARK
        if (marks_.size() >= kMaxValues) return Fail("more marks than any checkpoint's");
        marks_.push_back(stack_.size());
        return;
      case 'N':  // NONE
        return Push({});
      case 'G':  // BINFLOAT
        Take(8);
        return Push({});
      case '\x88':  // NEWTRUE
        return PushInt(1);
      case '\x89':  // NEWFALSE
        return PushInt(0);
      case 'K':  // BININT1
        return PushInt(static_cast<int64_t>(TakeNumber(1)));
      case 'M':  // BININT2
        return PushInt(static_cast<int64_t>(TakeNumber(2)));
      case 'J':  // BININT
        return PushInt(static_cast<int32_t>(TakeNumber(4)));
      case '\x8a':  // LONG1
        return PushLong();
      case 'X': {  // BINUNICODE
        const absl::string_view text = Take(TakeNumber(4));
        return Push({.kind = Kind::kString, .text = text});
      }
      case '}':  // EMPTY_DICT
        return Push({.kind = Kind::kDict});
      case ']':  // EMPTY_LIST
      case ')':  // EMPTY_TUPLE
        return Push({.kind = Kind::kSequence});
      case '\x85':  // TUPLE1
        return PushTuple(1);
      case '\x86':  // TUPLE2
        return PushTuple(2);
      case '\x87':  // TUPLE3
        return PushTuple(3);
      case 't':  // TUPLE
        if (auto items = PopToMark()) Push({.kind = Kind::kSequence, .items = *std::move(items)});
        return;
      case 'a': {  // APPEND
        if (!Has(2)) return;
        const uint32_t item = Pop();
        return Extend(Kind::kSequence, {item});
      }
      case 'e':  // APPENDS
        if (const auto items = PopToMark()) Extend(Kind::kSequence, *items);
        return;
      case 's': {  // SETITEM
        if (!Has(3)) return;
        const uint32_t value = Pop();
        const uint32_t key = Pop();
        return Extend(Kind::kDict, {key, value});
      }
      case 'u':  // SETITEMS
        if (const auto items = PopToMark()) Extend(Kind::kDict, *items);
        return;
      case 'q':  // BINPUT
        return Remember(TakeNumber(1));
      case 'r':  // LONG_BINPUT
        return Remember(TakeNumber(4));
      case 'h':  // BINGET
        return Recall(TakeNumber(1));
      case 'j':  // LONG_BINGET
        return Recall(TakeNumber(4));
      case 'c':  // GLOBAL
        return PushName();
      case 'Q':  // BINPERSID
        return PersistentId();
      case 'R':     // REDUCE
      case '\x81':  // NEWOBJ
        return Call();
      case 'b':  // BUILD: attributes, such as a state dictionary's _metadata
        if (Has(2)) Pop();
        return;
      default:
        --place_;
        return Fail(absl::StrCat("opcode 0x", absl::BytesToHexString(opcode), " is not allowed"));
    }
  }

  void PushLong() {
    const uint64_t count = TakeNumber(1);
    if (count > 8) return Fail("a number beyond 64 bits");
    uint64_t number = TakeNumber(count);
    if (count > 0 && count < 8 && (number >> (8 * count - 1)) != 0)
      number |= ~uint64_t{0} << 8 * count;
    PushInt(static_cast<int64_t>(number));
  }

  absl::string_view bytes_;
  size_t place_ = 0;
  bool stopped_ = false;
  absl::Status status_;
  std::vector<PickleValue> values_;
  std::vector<uint32_t> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint64_t, uint32_t> memo_;
};

}  // namespace

const PickleValue* Pickle::Find(const PickleValue& dict, absl::string_view key) const {
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (at(dict.items[i]).kind == Kind::kString && at(dict.items[i]).text == key) {
      return &at(dict.items[i + 1]);
    }
  }
  return nullptr;
}

absl::StatusOr<Pickle> ParsePickle(absl::string_view bytes) { return Machine(bytes).Run(); }

}  // namespace objectdino
