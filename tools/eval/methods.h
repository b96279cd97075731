// SPDX-License-Identifier: Apache-2.0
// The methods that an evaluation knows by name, and the flags that change their options.
// Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_TOOLS_EVAL_METHODS_H_
#define OBJECTDINO_TOOLS_EVAL_METHODS_H_

#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"

#include "core/pipeline/ground_options.h"

namespace objectdino {

// One row of a table of results.
struct NamedMethod {
  std::string name;
  GroundOptions options;
  bool by_default = false;  // part of a run without --methods
};

// All of them, in the order of a table's rows. The one place to add a variant.
const std::vector<NamedMethod>& KnownMethods();

// Changes to the options of every method of a run; what is unset stays the method's own.
struct OptionFlags {
  std::optional<HeadSelection> heads;
  std::optional<int> clusters;
  std::optional<AttentionComponents> components;
  std::optional<LayerScope> layer_scope;
  std::optional<double> temperature;
  std::optional<double> tau;
  std::optional<int> input_size;
  std::optional<ResizeMode> resize_mode;
  std::optional<int> max_objects;
  std::optional<double> min_score;
  std::optional<MaskRefinement> mask_refinement;

  void ApplyTo(GroundOptions& options) const;
};

// `flags` outlives `command`.
void AddOptionFlags(CLI::App& command, OptionFlags& flags);

// All options on one line: two runs with the same text can be mixed, others cannot.
std::string Describe(const GroundOptions& options);

}  // namespace objectdino

#endif  // OBJECTDINO_TOOLS_EVAL_METHODS_H_
