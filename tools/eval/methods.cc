// SPDX-License-Identifier: Apache-2.0
#include "tools/eval/methods.h"

#include <map>

#include "absl/strings/str_cat.h"

namespace objectdino {
namespace {

GroundOptions OptionsOf(Method method) {
  GroundOptions options;
  options.method = method;
  return options;
}

GroundOptions WithSeedRule(GroundOptions options) {
  options.seed_rule = true;
  return options;
}

GroundOptions WithMirror(GroundOptions options) {
  options.mirror = true;
  return options;
}

GroundOptions WithProposals(GroundOptions options) {
  options.proposals = true;
  return options;
}

// "qk" -> query and key; nothing where a letter is none of q, k, v, or comes twice.
std::optional<AttentionComponents> ParseComponents(const std::string& letters) {
  AttentionComponents components{.query = false, .key = false, .value = false};
  for (const char letter : letters) {
    bool* used = letter == 'q'   ? &components.query
                 : letter == 'k' ? &components.key
                 : letter == 'v' ? &components.value
                                 : nullptr;
    if (used == nullptr || *used) return std::nullopt;
    *used = true;
  }
  if (components.none()) return std::nullopt;
  return components;
}

std::string Letters(const AttentionComponents& components) {
  return absl::StrCat(components.query ? "q" : "", components.key ? "k" : "",
                      components.value ? "v" : "");
}

const std::map<std::string, LayerScope>& LayerScopes() {
  static const auto& names = *new std::map<std::string, LayerScope>{
      {"all", LayerScope::kAll}, {"last_layer", LayerScope::kLastLayer}};
  return names;
}

const std::map<std::string, MaskRefinement>& MaskRefinements() {
  static const auto& names = *new std::map<std::string, MaskRefinement>{
      {"none", MaskRefinement::kNone}, {"edge_aware", MaskRefinement::kEdgeAware}};
  return names;
}

const std::map<std::string, HeadSelection>& HeadSelections() {
  static const auto& names = *new std::map<std::string, HeadSelection>{
      {"clustered", HeadSelection::kClustered}, {"preset", HeadSelection::kPreset}};
  return names;
}

const std::map<std::string, ResizeMode>& ResizeModes() {
  static const auto& names = *new std::map<std::string, ResizeMode>{
      {"square", ResizeMode::kSquare}, {"aspect", ResizeMode::kAspect}};
  return names;
}

template <typename Enum>
std::string NameOf(Enum value, const std::map<std::string, Enum>& names) {
  for (const auto& [name, candidate] : names) {
    if (candidate == value) return name;
  }
  return absl::StrCat(static_cast<int>(value));
}

}  // namespace

const std::vector<NamedMethod>& KnownMethods() {
  static const auto& methods = *new std::vector<NamedMethod>{
      {"object_dino", OptionsOf(Method::kObjectDino), true},
      {"object_dino_cut", OptionsOf(Method::kObjectDinoCut), true},
      {"object_dino_cut_seed", WithSeedRule(OptionsOf(Method::kObjectDinoCut)), true},
      {"object_dino_paper", OptionsOf(Method::kObjectDinoPaper), true},
      {"tokencut", OptionsOf(Method::kTokenCut), true},
      {"lost", OptionsOf(Method::kLost), true},
      {"cls_attention", OptionsOf(Method::kClsAttention), true},
      {"object_dino_mirror", WithMirror(OptionsOf(Method::kObjectDino)), false},
      {"object_dino_proposals", WithProposals(OptionsOf(Method::kObjectDino)), false}};
  return methods;
}

void OptionFlags::ApplyTo(GroundOptions& options) const {
  options.head_selection = heads.value_or(options.head_selection);
  options.clusters = clusters.value_or(options.clusters);
  options.components = components.value_or(options.components);
  options.layer_scope = layer_scope.value_or(options.layer_scope);
  if (temperature) options.temperature = temperature;
  options.tau = tau.value_or(options.tau);
  options.input_size = input_size.value_or(options.input_size);
  options.resize_mode = resize_mode.value_or(options.resize_mode);
  options.chosen = {.input_size = input_size.has_value(),
                    .head_selection = heads.has_value() || clusters.has_value()};
  options.max_objects = max_objects.value_or(options.max_objects);
  options.min_score = min_score.value_or(options.min_score);
  options.mask_refinement = mask_refinement.value_or(options.mask_refinement);
}

void AddOptionFlags(CLI::App& command, OptionFlags& flags) {
  const auto add = [&command](const char* name, auto& value, const char* help) {
    return command.add_option(name, value, help)->group("Options of the methods");
  };
  add("--heads", flags.heads, "Head selection: clustered or preset")
      ->transform(CLI::CheckedTransformer(HeadSelections()));
  add("--clusters", flags.clusters, "Clusters of heads, 2 .. 64")->type_name("K");
  command
      .add_option_function<std::string>(
          "--components",
          [&flags](const std::string& letters) {
            flags.components = ParseComponents(letters);
            if (!flags.components) {
              throw CLI::ValidationError("--components", "each of q, k, v at most once: qk");
            }
          },
          "Which of queries, keys and values are used, as in qk")
      ->type_name("LETTERS")
      ->group("Options of the methods");
  add("--layer-scope", flags.layer_scope, "Which of the selected heads count: all or last_layer")
      ->transform(CLI::CheckedTransformer(LayerScopes()));
  add("--temperature", flags.temperature, "Softmax temperature of the head descriptors")
      ->type_name("X");
  add("--tau", flags.tau, "Affinity threshold of the cuts, -1 .. 1")->type_name("X");
  add("--input-size", flags.input_size, "Side of the network's input in pixels")->type_name("N");
  add("--resize-mode", flags.resize_mode, "square or aspect")
      ->transform(CLI::CheckedTransformer(ResizeModes()));
  add("--max-objects", flags.max_objects, "Most objects of an image")->type_name("N");
  add("--min-score", flags.min_score, "Leaves out objects that score less, 0 .. 1")->type_name("X");
  add("--mask-refinement", flags.mask_refinement, "Borders of pixel masks: none or edge_aware")
      ->transform(CLI::CheckedTransformer(MaskRefinements()));
}

std::string Describe(const GroundOptions& options) {
  return absl::StrCat(
      "method=", static_cast<int>(options.method),
      " heads=", NameOf(options.head_selection, HeadSelections()), " clusters=", options.clusters,
      " seed=", options.seed, " components=", Letters(options.components),
      " layer_scope=", NameOf(options.layer_scope, LayerScopes()),
      " temperature=", options.temperature ? absl::StrCat(*options.temperature) : "default",
      " mirror=", options.mirror ? 1 : 0, " proposals=", options.proposals ? 1 : 0,
      " mask_refinement=", NameOf(options.mask_refinement, MaskRefinements()),
      " input_size=", options.input_size,
      " resize_mode=", NameOf(options.resize_mode, ResizeModes()),
      " max_objects=", options.max_objects, " min_score=", options.min_score,
      " min_patches=", options.min_patches,
      " tau=", options.tau == GroundOptions::kTauOfMethod ? "default" : absl::StrCat(options.tau),
      " seed_rule=", options.seed_rule ? 1 : 0);
}

}  // namespace objectdino
