// SPDX-License-Identifier: Apache-2.0
// What an option means that the caller left unset, by model, and what is known of it.
//
// Thresholds do not carry over between backbones: at the published ones, DINOv2 finds nothing
// (defaults.md section 1). Values that were not measured on photographs with the model are used all
// the same, and said to be. Thread-safety: plain values and pure functions.
#ifndef OBJECTDINO_CORE_PIPELINE_MODEL_DEFAULTS_H_
#define OBJECTDINO_CORE_PIPELINE_MODEL_DEFAULTS_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "core/pipeline/ground_options.h"
#include "core/weights/model_config.h"

namespace objectdino {

enum class Evidence {
  kMeasured,     // here, on photographs, with this model
  kPublished,    // by the authors of a method, on a model of the family; not repeated here
  kCarriedOver,  // from another family: nobody measured it
};

template <typename T>
struct Default {
  T value;
  Evidence evidence;
};

struct ModelDefaults {
  absl::string_view models;  // "DINOv2 ViT-S/14"
  Default<int> input_size;   // pixels, a multiple of 8, 14 and 16
  Default<HeadSelection> head_selection;
  Default<double> tau_cut;        // of OBJECT_DINO_CUT
  Default<double> tau_paper;      // of OBJECT_DINO_PAPER
  Default<double> tau_token_cut;  // of TOKENCUT
  // Mean cosine of all pairs of final tokens from which on an image shows nothing that stands out;
  // unset where nothing was measured: a wrong one would hide the objects of every image.
  std::optional<double> alike_patches;
};

// The row of the table that describes the model.
const ModelDefaults& DefaultsOf(const ModelConfig& model);

// options.tau, or where it is unset the default of the method on the model. REQUIRES: a method that
// cuts.
double TauOf(const GroundOptions& options, const ModelConfig& model);

// The defaults that `options` relies on and that were not measured with the model, in one sentence;
// empty where there are none, and for random weights.
std::string UnmeasuredDefaults(const GroundOptions& options, const ModelConfig& model);

}  // namespace objectdino

#endif  // OBJECTDINO_CORE_PIPELINE_MODEL_DEFAULTS_H_
