// SPDX-License-Identifier: Apache-2.0
// Where values leave Torch.
#ifndef OBJECTDINO_CORE_HEADS_TO_VECTOR_H_
#define OBJECTDINO_CORE_HEADS_TO_VECTOR_H_

#include <vector>

#include "ATen/core/Tensor.h"

namespace objectdino {

// The elements in row-major order, as CPU floats; waits for the tensor's device. Thread-safety:
// pure function.
std::vector<float> ToVector(const at::Tensor& tensor);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_HEADS_TO_VECTOR_H_
