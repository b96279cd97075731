// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/commands/method_flags.h"

#include "client/cpp/commands/choice_flag.h"

namespace objectdino {

v1::GroundOptions MethodFlags::Options() const {
  v1::GroundOptions options;
  options.set_method(method);
  options.set_resize_mode(resize_mode);
  options.set_head_selection(heads);
  if (input_size) options.set_input_size(*input_size);
  if (clusters) options.set_clusters(*clusters);
  for (const v1::AttentionComponent component : components) options.add_components(component);
  options.set_layer_scope(layer_scope);
  if (temperature) options.set_temperature(*temperature);
  if (affinity_threshold) options.set_affinity_threshold(*affinity_threshold);
  return options;
}

void AddMethodFlags(CLI::App& command, MethodFlags& flags) {
  AddChoice<v1::Method>(command, "--method", flags.method,
                        {{"object_dino", v1::METHOD_OBJECT_DINO},
                         {"object_dino_cut", v1::METHOD_OBJECT_DINO_CUT},
                         {"object_dino_paper", v1::METHOD_OBJECT_DINO_PAPER},
                         {"tokencut", v1::METHOD_TOKENCUT},
                         {"lost", v1::METHOD_LOST},
                         {"cls_attention", v1::METHOD_CLS_ATTENTION}},
                        "How objects are found");
  AddChoice<v1::HeadSelection>(
      command, "--heads", flags.heads,
      {{"clustered", v1::HEAD_SELECTION_CLUSTERED}, {"preset", v1::HEAD_SELECTION_PRESET}},
      "Which attention heads count");
  AddChoice<v1::ResizeMode>(
      command, "--resize-mode", flags.resize_mode,
      {{"square", v1::RESIZE_MODE_SQUARE}, {"aspect", v1::RESIZE_MODE_ASPECT}},
      "How the image is brought to the network's input");
  command.add_option("--clusters", flags.clusters, "Clusters of heads, with --heads clustered")
      ->type_name("K");
  AddChoice<v1::AttentionComponent>(command, "--components", flags.components,
                                    {{"q", v1::ATTENTION_COMPONENT_QUERY},
                                     {"k", v1::ATTENTION_COMPONENT_KEY},
                                     {"v", v1::ATTENTION_COMPONENT_VALUE}},
                                    "Which parts of the heads are used, as in q,k")
      ->delimiter(',')
      ->allow_extra_args(false);  // leaves the images that follow
  AddChoice<v1::LayerScope>(
      command, "--layer-scope", flags.layer_scope,
      {{"all", v1::LAYER_SCOPE_ALL}, {"last_layer", v1::LAYER_SCOPE_LAST_LAYER}},
      "Which of the chosen heads count");
  command
      .add_option("--temperature", flags.temperature,
                  "Softmax temperature of what is clustered; slower than without")
      ->type_name("X");
  command
      .add_option("--affinity-threshold", flags.affinity_threshold,
                  "From where on the cuts link two patches, -1 .. 1")
      ->type_name("X");
  command.add_option("--input-size", flags.input_size, "Side of the network's input in pixels")
      ->type_name("N");
}

}  // namespace objectdino
