// SPDX-License-Identifier: Apache-2.0
// objectdino-eval: how good the methods are on a data set, in process and on all cores.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "CLI/CLI.hpp"
#include "nlohmann/json.hpp"

#include "core/evaluation/corloc.h"
#include "core/evaluation/dataset.h"
#include "core/image/decode.h"
#include "core/pipeline/grounder.h"
#include "core/pipeline/torch_runtime.h"

namespace objectdino {
namespace {

constexpr int kExitFailure = 1;

struct Row {
  std::string method;
  CorLoc summary;
};

struct Arguments {
  std::string model = "models/dinov2-small";
  std::string data;
  std::string predictions;
  std::vector<std::string> methods = {"object_dino", "object_dino_cut", "object_dino_cut_seed",
                                      "object_dino_paper"};
  HeadSelection heads = HeadSelection::kClustered;
  GroundOptions ablation;  // clusters, components, layer_scope, temperature, tau
  int input_size = 224;
  ResizeMode resize = ResizeMode::kSquare;
  int lanes = static_cast<int>(std::thread::hardware_concurrency());
  int limit = 0;
  bool json = false;
};

// Settings that a method's name stands for in the table.
const std::map<std::string, std::pair<Method, bool>>& MethodsByName() {
  static const auto& methods = *new std::map<std::string, std::pair<Method, bool>>{
      {"object_dino", {Method::kObjectDino, false}},
      {"object_dino_cut", {Method::kObjectDinoCut, false}},
      {"object_dino_cut_seed", {Method::kObjectDinoCut, true}},
      {"object_dino_paper", {Method::kObjectDinoPaper, false}},
      {"tokencut", {Method::kTokenCut, false}},
      {"lost", {Method::kLost, false}},
      {"cls_attention", {Method::kClsAttention, false}}};
  return methods;
}

// The share of the centre box that serves as the second trivial baseline, a side.
constexpr float kCentreShare = 0.8f;

Box CentreBox(ImageSize image) {
  const float margin = (1 - kCentreShare) / 2;
  return {margin * image.width, margin * image.height, (1 - margin) * image.width,
          (1 - margin) * image.height};
}

Box WholeBox(ImageSize image) {
  return {0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
}

Row Baseline(const std::string& name, const std::vector<Prediction>& predictions,
             const std::vector<Sample>& samples, Box (*box)(ImageSize)) {
  std::vector<double> ious;
  for (size_t i = 0; i < samples.size(); ++i) {
    ious.push_back(BestIou(box(predictions[i].image), samples[i].boxes));
  }
  return {name, SummarizeIous(ious)};
}

void PrintRows(const std::vector<Row>& rows, bool json) {
  if (json) {
    nlohmann::json document = nlohmann::json::array();
    for (const Row& row : rows) {
      document.push_back({{"method", row.method},
                          {"n", row.summary.n},
                          {"corloc", row.summary.corloc},
                          {"mean_iou", row.summary.mean_iou},
                          {"iou70", row.summary.iou70}});
    }
    std::cout << document.dump(2) << "\n";
    return;
  }
  std::printf("%-22s %5s %8s %9s %8s\n", "method", "n", "CorLoc", "mean IoU", "IoU>=0.7");
  for (const Row& row : rows) {
    std::printf("%-22s %5d %8.1f %9.3f %8.1f\n", row.method.c_str(), row.summary.n,
                row.summary.corloc, row.summary.mean_iou, row.summary.iou70);
  }
}

nlohmann::json ToJson(const std::string& method, const std::vector<Prediction>& predictions) {
  nlohmann::json list = nlohmann::json::array();
  for (const Prediction& p : predictions) {
    list.push_back({{"method", method},
                    {"file", p.name},
                    {"found", p.found},
                    {"box", {p.box.x1, p.box.y1, p.box.x2, p.box.y2}},
                    {"iou", p.iou}});
  }
  return list;
}

int Fail(const absl::Status& status) {
  std::cerr << "objectdino-eval: " << status.message() << "\n";
  return kExitFailure;
}

int RunCorLoc(const Arguments& args) {
  auto samples = LoadDataset(args.data);
  if (!samples.ok()) return Fail(samples.status());
  if (args.limit > 0 && samples->size() > static_cast<size_t>(args.limit))
    samples->resize(args.limit);
  if (samples->empty()) return Fail(absl::NotFoundError(args.data + ": no annotated image"));
  SetTorchThreads(1);
  SetImageThreads(1);
  KeepFreedMemory();
  auto grounder = Grounder::Load({.model_dir = args.model});
  if (!grounder.ok()) return Fail(grounder.status());
  if (const absl::Status blas = CheckTorchBlas(); !blas.ok()) {
    std::cerr << "objectdino-eval: warning: " << blas.message() << "\n";
  }

  std::vector<Row> rows;
  nlohmann::json all = nlohmann::json::array();
  for (const std::string& name : args.methods) {
    const auto [method, seed_rule] = MethodsByName().at(name);
    GroundOptions options = args.ablation;
    options.method = method;
    options.seed_rule = seed_rule;
    options.head_selection = args.heads;
    options.input_size = args.input_size;
    options.resize_mode = args.resize;
    const bool terminal = isatty(STDERR_FILENO) != 0;
    auto predictions = PredictBoxes(**grounder, *samples, options, args.lanes, [&](int done) {
      if (terminal) std::fprintf(stderr, "\r%s %d/%zu ", name.c_str(), done, samples->size());
    });
    if (terminal) std::fprintf(stderr, "\r\033[K");
    if (!predictions.ok()) return Fail(predictions.status());
    if (rows.empty()) {
      rows.push_back(Baseline("whole_image", *predictions, *samples, WholeBox));
      rows.push_back(Baseline("centre_box", *predictions, *samples, CentreBox));
    }
    std::vector<double> ious;
    for (const Prediction& prediction : *predictions) ious.push_back(prediction.iou);
    rows.push_back({name, SummarizeIous(ious)});
    for (auto& entry : ToJson(name, *predictions)) all.push_back(entry);
  }
  PrintRows(rows, args.json);
  if (!args.predictions.empty()) {
    std::ofstream file(args.predictions);
    file << all.dump(1) << "\n";
    if (!file.flush())
      return Fail(absl::UnavailableError(args.predictions + ": cannot be written"));
  }
  return 0;
}

// "qk" -> {query, key}
std::string ParseComponents(const std::string& letters, AttentionComponents& components) {
  components = {.query = false, .key = false, .value = false};
  for (const char letter : letters) {
    bool* used = letter == 'q'   ? &components.query
                 : letter == 'k' ? &components.key
                 : letter == 'v' ? &components.value
                                 : nullptr;
    if (used == nullptr || *used) return "must be made of q, k and v, each at most once";
    *used = true;
  }
  return "";
}

void AddAblationFlags(CLI::App& command, GroundOptions& options) {
  command.add_option("--clusters", options.clusters, "Clusters of heads")->capture_default_str();
  command
      .add_option_function<std::string>(
          "--components",
          [&options](const std::string& letters) {
            const std::string fault = ParseComponents(letters, options.components);
            if (!fault.empty()) throw CLI::ValidationError("--components", fault);
          },
          "Which of q, k and v are used, as in qk")
      ->type_name("LETTERS");
  command.add_option("--layer-scope", options.layer_scope, "Heads that count: all or last_layer")
      ->transform(CLI::CheckedTransformer(std::map<std::string, LayerScope>{
          {"all", LayerScope::kAll}, {"last_layer", LayerScope::kLastLayer}}));
  command.add_option("--temperature", options.temperature,
                     "Softmax temperature of the head descriptors; without: linear descriptors, "
                     "1/sqrt(d) for object_dino_paper");
  command.add_option("--tau", options.tau, "Affinity threshold of the cuts, instead of a method's");
}

int Main(int argc, char** argv) {
  CLI::App app("Evaluates Object-DINO on photographs with ground-truth boxes.");
  app.footer("Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage.");
  app.require_subcommand(1);
  Arguments args;
  CLI::App* corloc = app.add_subcommand("corloc",
                                        "How often the best box of an image is right: CorLoc, mean "
                                        "IoU, share of IoU >= 0.7, with n.");
  corloc->add_option("--data", args.data, "voc:FOLDER or yolo:FOLDER")->required();
  corloc->add_option("--model", args.model, "Model folder")->capture_default_str();
  std::vector<std::string> names;
  for (const auto& [name, unused] : MethodsByName()) names.push_back(name);
  corloc->add_option("--methods", args.methods, "Methods, in the order of the table's rows")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  corloc->add_option("--heads", args.heads, "Head selection: clustered or preset")
      ->transform(CLI::CheckedTransformer(std::map<std::string, HeadSelection>{
          {"clustered", HeadSelection::kClustered}, {"preset", HeadSelection::kPreset}}));
  AddAblationFlags(*corloc, args.ablation);
  corloc->add_option("--input-size", args.input_size, "Pixels of the network's input")
      ->capture_default_str();
  corloc->add_option("--resize-mode", args.resize, "square or aspect")
      ->transform(CLI::CheckedTransformer(std::map<std::string, ResizeMode>{
          {"square", ResizeMode::kSquare}, {"aspect", ResizeMode::kAspect}}));
  corloc->add_option("--lanes", args.lanes, "Images in flight, one thread each")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  corloc->add_option("--limit", args.limit, "Only the first N images, 0 = all")
      ->check(CLI::NonNegativeNumber);
  corloc->add_option("--predictions", args.predictions,
                     "Write every image's box to this JSON file");
  corloc->add_flag("--json", args.json, "The table as one JSON document on stdout");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return RunCorLoc(args);
}

}  // namespace
}  // namespace objectdino

int main(int argc, char** argv) { return objectdino::Main(argc, argv); }
