// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/model_defaults.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "core/base/status_macros.h"

namespace objectdino {
namespace {

using enum Evidence;

// DINOv2 ViT-S/14: 326 photographs (defaults.md; docs/discovery.md for alike_patches: at most 0.93
// on photographs, at least 0.94 on gray, noise and gradients). Input 224 and five clusters are the
// paper's for DINOv3 ViT-B/16, as is tau_paper; 0.2 is what TokenCut was published with, on DINO.
constexpr ModelDefaults kDinov2Small = {
    .models = "DINOv2 ViT-S/14",
    .input_size = {224, kMeasured},
    .head_selection = {HeadSelection::kClustered, kMeasured},
    .tau_cut = {0.6, kMeasured},
    .tau_paper = {-0.35,
                  kMeasured},  // links every pair: no object is found, and the answer says so
    .tau_token_cut = {0.85, kMeasured},
    .alike_patches = 0.94};
constexpr ModelDefaults kDinov2 = {.models = "other models of DINOv2",
                                   .input_size = {224, kCarriedOver},
                                   .head_selection = {HeadSelection::kClustered, kCarriedOver},
                                   .tau_cut = {0.6, kCarriedOver},
                                   .tau_paper = {-0.35, kCarriedOver},
                                   .tau_token_cut = {0.85, kCarriedOver},
                                   .alike_patches = std::nullopt};
constexpr ModelDefaults kDino = {.models = "DINO",
                                 .input_size = {224, kCarriedOver},
                                 .head_selection = {HeadSelection::kClustered, kCarriedOver},
                                 .tau_cut = {0.6, kCarriedOver},
                                 .tau_paper = {-0.35, kCarriedOver},
                                 .tau_token_cut = {0.2, kPublished},
                                 .alike_patches = std::nullopt};
constexpr ModelDefaults kDinov3 = {.models = "DINOv3",
                                   .input_size = {224, kPublished},
                                   .head_selection = {HeadSelection::kClustered, kPublished},
                                   .tau_cut = {-0.35, kPublished},
                                   .tau_paper = {-0.35, kPublished},
                                   .tau_token_cut = {0.2, kCarriedOver},
                                   .alike_patches = std::nullopt};

const Default<double>* DefaultTau(Method method, const ModelDefaults& defaults) {
  switch (method) {
    case Method::kObjectDinoCut:
      return &defaults.tau_cut;
    case Method::kObjectDinoPaper:
      return &defaults.tau_paper;
    case Method::kTokenCut:
      return &defaults.tau_token_cut;
    case Method::kObjectDino:
    case Method::kLost:
    case Method::kClsAttention:
      break;
  }
  return nullptr;
}

}  // namespace

const ModelDefaults& DefaultsOf(const ModelConfig& model) {
  switch (model.family) {
    case ModelFamily::kDino:
      return kDino;
    case ModelFamily::kDinov2:
      return model.width == 384 && model.patch_size == 14 && model.registers == 0 ? kDinov2Small
                                                                                  : kDinov2;
    case ModelFamily::kDinov3:
      return kDinov3;
  }
  return kDinov2;
}

double TauOf(const GroundOptions& options, const ModelConfig& model) {
  if (options.tau != GroundOptions::kTauOfMethod) return options.tau;
  const Default<double>* tau = DefaultTau(options.method, DefaultsOf(model));
  OBJECTDINO_CHECK(tau != nullptr);
  return tau->value;
}

std::string UnmeasuredDefaults(const GroundOptions& options, const ModelConfig& model) {
  if (model.random_weights) return "";
  const ModelDefaults& defaults = DefaultsOf(model);
  std::vector<std::string> relied_on;
  const auto add = [&relied_on](absl::string_view option, Evidence evidence, bool chosen) {
    if (chosen || evidence == kMeasured) return;
    relied_on.push_back(
        absl::StrCat(option, evidence == kPublished ? " (published)" : " (of another model)"));
  };
  add("input_size", defaults.input_size.evidence, options.chosen.input_size);
  if (options.SelectsHeads()) {
    add("head_selection", defaults.head_selection.evidence, options.chosen.head_selection);
  }
  if (const Default<double>* tau = DefaultTau(options.method, defaults); tau != nullptr) {
    add("affinity_threshold", tau->evidence, options.tau != GroundOptions::kTauOfMethod);
  }
  if (relied_on.empty()) return "";
  return absl::StrCat("defaults that were not measured with this model: ",
                      absl::StrJoin(relied_on, ", "), "; set them to what suits your images");
}

}  // namespace objectdino
