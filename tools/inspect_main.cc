// SPDX-License-Identifier: Apache-2.0
// objectdino-inspect: says what a model on disk is. `objectdino inspect` runs it.
#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "c10/util/Exception.h"
#include "nlohmann/json.hpp"
#include "tools/inspect/self_test.h"

#include "core/pipeline/torch_runtime.h"
#include "core/weights/checkpoint.h"
#include "core/weights/family_name.h"
#include "core/weights/inspection.h"

namespace objectdino {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitSelfTest = 3;

constexpr char kFooter[] = R"(
PATH is a Hugging Face folder (config.json with model.safetensors, its shards or pytorch_model.bin), a folder
with one other file of weights, or such a file: .safetensors with timm's or the authors' names, or .pth.

Exit codes:
  0  the model is complete, and the self-test passed if it was asked for
  1  the model cannot be read, or tensors are missing or of the wrong shape
  2  wrong usage
  3  the self-test failed, or there is none for this model)";

struct Arguments {
  std::string path;
  std::string image;
  bool json = false;
  bool self_test = false;
};

const char* PositionName(PositionRule rule) {
  switch (rule) {
    case PositionRule::kLearnedOffset:
      return "learned, bicubic with the authors' offset";
    case PositionRule::kLearnedSize:
      return "learned, bicubic";
    case PositionRule::kLearnedSizeAntialias:
      return "learned, antialiased bicubic";
    case PositionRule::kRope:
      return "rotation";
  }
  return "";
}

std::vector<std::string> FileNames(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const auto& file : checkpoint.files()) {
    names.push_back(std::filesystem::path(file->path()).filename().string());
  }
  return names;
}

nlohmann::ordered_json ToJson(const Checkpoint& checkpoint, const Inspection& inspection) {
  const ModelConfig& config = checkpoint.config();
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const auto& file : checkpoint.files()) {
    files.push_back({{"name", std::filesystem::path(file->path()).filename().string()},
                     {"bytes", file->bytes().size()},
                     {"format", file->format() == WeightFormat::kTorch ? "torch" : "safetensors"},
                     {"part", file->part()}});
  }
  return {{"variant", VariantName(config)},
          {"family", FamilyName(config.family)},
          {"layout", config.layout},
          {"layers", config.layers},
          {"heads", config.heads},
          {"width", config.width},
          {"hidden_width", config.hidden_width},
          {"gated", config.swiglu},
          {"patch_size", config.patch_size},
          {"registers", config.registers},
          {"position", PositionName(config.position)},
          {"position_grid", config.position_grid},
          {"layer_norm_eps", config.layer_norm_eps},
          {"random_weights", config.random_weights},
          {"parameters", inspection.parameters},
          {"dtypes", inspection.types},
          {"files", files},
          {"sha256", checkpoint.digest()},
          {"complete", inspection.complete()},
          {"missing", inspection.missing},
          {"wrong", inspection.odd},
          {"unused", inspection.unused},
          {"known_unused", inspection.known_unused}};
}

void PrintList(const char* title, const std::vector<std::string>& items) {
  constexpr size_t kShown = 8;
  std::cout << absl::StreamFormat("%-14s", title);
  if (items.empty()) {
    std::cout << "none\n";
    return;
  }
  for (size_t i = 0; i < std::min(items.size(), kShown); ++i) {
    std::cout << (i == 0 ? "" : std::string(14, ' ')) << items[i] << "\n";
  }
  if (items.size() > kShown) {
    std::cout << std::string(14, ' ') << "and " << items.size() - kShown << " more (--json)\n";
  }
}

void PrintText(const Checkpoint& checkpoint, const Inspection& inspection) {
  const ModelConfig& config = checkpoint.config();
  const auto line = [](const char* title, const std::string& text) {
    std::cout << absl::StreamFormat("%-14s%s\n", title, text);
  };
  std::vector<std::string> types;
  for (const auto& [type, count] : inspection.types) {
    types.push_back(absl::StrCat(type, " (", count, " tensors)"));
  }
  uint64_t bytes = 0;
  for (const auto& file : checkpoint.files()) bytes += file->bytes().size();
  const std::string& part = checkpoint.files()[0]->part();
  std::cout << VariantName(config) << (config.random_weights ? ", RANDOM WEIGHTS" : "") << "\n";
  line("family", FamilyName(config.family));
  line("layout", absl::StrCat(config.layout, part.empty() ? "" : absl::StrCat(", part ", part)));
  line("dimensions",
       absl::StrCat(config.layers, " layers, ", config.heads, " heads, ", config.width, " wide, ",
                    config.hidden_width, config.swiglu ? " hidden (gated)" : " hidden", ", patch ",
                    config.patch_size, ", ", config.registers, " registers"));
  line("positions",
       absl::StrCat(PositionName(config.position),
                    config.position_grid > 0 ? absl::StrCat(", trained on ", config.position_grid,
                                                            " x ", config.position_grid, " patches")
                                             : ""));
  line("epsilon", absl::StrCat(config.layer_norm_eps));
  line("parameters", absl::StrCat(inspection.parameters));
  line("dtype", absl::StrJoin(types, ", "));
  line("files", absl::StrCat(absl::StrJoin(FileNames(checkpoint), ", "), " (", bytes, " bytes)"));
  line("sha256", checkpoint.digest());
  PrintList("missing", inspection.missing);
  PrintList("wrong", inspection.odd);
  PrintList("unused", inspection.unused);
  PrintList("known unused", inspection.known_unused);
}

int Fail(int code, absl::string_view reason) {
  std::cerr << "objectdino: inspect: " << reason << "\n";
  return code;
}

// The rows go to the document, or to the standard output.
int SelfTest(const Checkpoint& checkpoint, const Arguments& args, nlohmann::ordered_json& json) {
  const auto rows = RunSelfTest(checkpoint, args.image);
  if (!rows.ok()) {
    return Fail(absl::IsInvalidArgument(rows.status()) ? kExitUsage : kExitSelfTest,
                absl::StrCat("self-test: ", rows.status().message()));
  }
  bool passed = true;
  const char* title = "self-test";
  for (const SelfTestRow& row : *rows) {
    passed = passed && row.passed();
    json["self_test"].push_back({{"name", row.name},
                                 {"deviation", row.deviation},
                                 {"tolerance", row.tolerance},
                                 {"passed", row.passed()}});
    if (args.json) continue;
    std::cout << absl::StreamFormat("%-14s%-24s %s  off by %.1e, allowed %.0e\n", title, row.name,
                                    row.passed() ? "ok    " : "FAILED", row.deviation,
                                    row.tolerance);
    title = "";
  }
  if (passed) return kExitOk;
  return Fail(kExitSelfTest, "self-test: the values differ from those of the published weights");
}

int Run(const Arguments& args) {
  SetTorchThreads(1);
  const auto checkpoint = Checkpoint::Open(args.path);
  if (!checkpoint.ok()) return Fail(kExitFailed, checkpoint.status().message());
  const Inspection inspection = Inspect(*checkpoint);
  nlohmann::ordered_json json = ToJson(*checkpoint, inspection);
  if (!args.json) PrintText(*checkpoint, inspection);
  int code = kExitOk;
  if (!inspection.complete()) {
    code = Fail(kExitFailed, absl::StrCat(inspection.missing.size(), " tensors are missing and ",
                                          inspection.odd.size(), " are wrong"));
  } else if (args.self_test) {
    code = SelfTest(*checkpoint, args, json);
  }
  if (args.json) {
    std::cout << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
  }
  if (std::cout.flush()) return code;
  return Fail(kExitFailed, "the standard output cannot be written");
}

int Main(int argc, char** argv) {
  CLI::App app("Says what a model on disk is: family, dimensions, layout, what is missing.",
               "objectdino inspect");
  app.footer(kFooter);
  Arguments args;
  app.add_option("path", args.path, "Folder or file")->required()->type_name("PATH");
  app.add_flag("--json", args.json, "One JSON document on stdout");
  CLI::Option* self_test =
      app.add_option("--self-test", args.image,
                     "Run the model and compare with values of the published weights; for DINOv3 "
                     "with COCO's val2017/000000039769.jpg")
          ->type_name("IMAGE")
          ->expected(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return Fail(kExitUsage, absl::StrCat(absl::StrReplaceAll(error.what(), {{"\n", " "}}),
                                         " (see objectdino inspect --help)"));
  }
  args.self_test = self_test->count() > 0;
  return Run(args);
}

}  // namespace
}  // namespace objectdino

int main(int argc, char** argv) {
  try {
    return objectdino::Main(argc, argv);
  } catch (const c10::Error& error) {
    return objectdino::Fail(objectdino::kExitFailed, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return objectdino::Fail(objectdino::kExitFailed, error.what());
  }
}
