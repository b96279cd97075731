// SPDX-License-Identifier: Apache-2.0
// The flags that say how an image is grounded, shared by the commands that ground one.
#ifndef OBJECTDINO_CLIENT_CPP_COMMANDS_METHOD_FLAGS_H_
#define OBJECTDINO_CLIENT_CPP_COMMANDS_METHOD_FLAGS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "CLI/CLI.hpp"

#include "objectdino/v1/grounding_service.pb.h"

namespace objectdino {

struct MethodFlags {
  v1::Method method = v1::METHOD_UNSPECIFIED;
  v1::ResizeMode resize_mode = v1::RESIZE_MODE_UNSPECIFIED;
  v1::HeadSelection heads = v1::HEAD_SELECTION_UNSPECIFIED;
  std::optional<uint32_t> input_size;
  std::optional<uint32_t> clusters;
  std::vector<v1::AttentionComponent> components;
  v1::LayerScope layer_scope = v1::LAYER_SCOPE_UNSPECIFIED;
  std::optional<float> temperature;
  std::optional<float> affinity_threshold;

  // A flag that was not given is left to the server.
  v1::GroundOptions Options() const;
};

// --method, --heads, --resize-mode, --input-size, and the ablations: --clusters, --components,
// --layer-scope, --temperature, --affinity-threshold. `flags` outlives `command`.
void AddMethodFlags(CLI::App& command, MethodFlags& flags);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_COMMANDS_METHOD_FLAGS_H_
