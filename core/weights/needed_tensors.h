// SPDX-License-Identifier: Apache-2.0
// What a model of given dimensions consists of, and what it is called (backbones.md 3.1).
// Thread-safety: pure functions. Cost: O(layers).
#ifndef OBJECTDINO_CORE_WEIGHTS_NEEDED_TENSORS_H_
#define OBJECTDINO_CORE_WEIGHTS_NEEDED_TENSORS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/weights/model_config.h"

namespace objectdino {

// A canonical tensor and the shape that the model needs.
struct NeededTensor {
  std::string name;
  std::vector<int64_t> shape;
};

// Every tensor that a model of this description needs, in the order of the network.
std::vector<NeededTensor> NeededTensors(const ModelConfig& config);

// "DINOv2 ViT-S/14 with 4 registers"; dimensions that were not published are listed instead.
std::string VariantName(const ModelConfig& config);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_WEIGHTS_NEEDED_TENSORS_H_
