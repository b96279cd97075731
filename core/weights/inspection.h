// SPDX-License-Identifier: Apache-2.0
// What a model on disk holds, against what its network needs.
// Thread-safety: pure function. Cost: O(names).
#ifndef OBJECTDINO_CORE_WEIGHTS_INSPECTION_H_
#define OBJECTDINO_CORE_WEIGHTS_INSPECTION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/weights/checkpoint.h"

namespace objectdino {

struct Inspection {
  int64_t parameters = 0;                // elements of the tensors that the network uses
  std::map<std::string, int64_t> types;  // dtype on disk -> tensors used
  // One line each, the tensor as the file calls it: "'norm.weight' [384]", and for the odd ones
  // what they should be.
  std::vector<std::string> missing;
  std::vector<std::string> odd;
  std::vector<std::string> unused;        // names of which nothing is known
  std::vector<std::string> known_unused;  // mask tokens, heads and the like

  bool complete() const { return missing.empty() && odd.empty(); }
};

Inspection Inspect(const Checkpoint& checkpoint);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_INSPECTION_H_
