// SPDX-License-Identifier: Apache-2.0
// Reader of checkpoints that torch.save wrote since PyTorch 1.6: a zip archive of a pickle and one
// member a storage (backbones.md 3.5).
//
// Our own and not LibTorch's: nothing in the file is executed or resolved (pickle.h), the storages
// stay where they are in the memory map instead of being copied, checkpoints that hold more than
// tensors can be read, and it is free of Torch, so it is fuzzed by itself. Thread-safety: pure
// functions. Cost: O(pickle + members); tensor bytes are not touched.
#ifndef OBJECTDINO_CORE_WEIGHTS_TORCH_FILE_H_
#define OBJECTDINO_CORE_WEIGHTS_TORCH_FILE_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "core/weights/pickle.h"
#include "core/weights/tensor_file.h"

namespace objectdino {

struct TorchTable {
  std::map<std::string, TensorView> tensors;  // views into the bytes given to Parse
  std::string part;  // the keys that lead to the dictionary read: "teacher"; empty = the outermost
};

// Of a checkpoint with several networks, the teacher's is read; "model", "state_dict" and "student"
// are looked into where there is none. FAILED_PRECONDITION with the tensor's name and the reason.
absl::StatusOr<TorchTable> ParseTorchFile(absl::string_view bytes);

using TorchStorages = std::map<std::string, absl::string_view, std::less<>>;  // by their keys

// The same from the pickle and the storages, for a little-endian machine.
absl::StatusOr<TorchTable> ReadTensors(const Pickle& pickle, const TorchStorages& storages);

// Whether the bytes begin as a file of torch.save before PyTorch 1.6 does. Those are not read: they
// hold the storages behind five pickles, and one command converts them.
bool IsLegacyTorchFile(absl::string_view bytes);
// A shell command that converts the file at `path`.
std::string LegacyTorchConversion(absl::string_view path);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_TORCH_FILE_H_
