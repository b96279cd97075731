// SPDX-License-Identifier: Apache-2.0
// objectdino-eval: how good the methods are on a data set. docs/evaluation.md says what the figures
// mean.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_replace.h"
#include "tools/eval/command.h"
#include "tools/eval/methods.h"
#include "tools/eval/session.h"

namespace objectdino {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

constexpr char kFooter[] = R"(
Data sets:
  voc:FOLDER        Pascal VOC: Annotations, JPEGImages, ImageSets/Main
  coco:FILE.json    COCO instances, with --images FOLDER
  yolo:FOLDER       images, and boxes or labels
  yolo-seg:FOLDER   images, and polygons or labels

Exit codes:
  0    done
  1    failed: one line on stderr says why
  2    wrong usage
  130  interrupted: the images in work were finished)";

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

// The second Ctrl-C finds the default action again, and ends the program at once.
void OnInterrupt(int) { interrupted = true; }

struct Subcommand {
  std::string name;
  std::string help;
  std::function<std::unique_ptr<Command>()> make;
};

const std::vector<Subcommand>& Subcommands() {
  static const auto& subcommands = *new std::vector<Subcommand>{
      {"corloc",
       "How often the best box of an image is right: CorLoc, mean IoU, share of IoU >= 0.7",
       MakeCorLocCommand},
      {"recall", "How many of all objects the first 1, 3 and 10 boxes find: recall, AR",
       MakeRecallCommand},
      {"masks", "How well masks fit the objects: mean IoU", MakeMasksCommand},
      {"verify", "How well the box check tells true boxes from moved ones: AUROC",
       MakeVerifyCommand}};
  return subcommands;
}

void AddDataFlags(CLI::App& command, DatasetOptions& data) {
  command.add_option("--data", data.spec, "The data set")->required()->type_name("KIND:PATH");
  command.add_option("--split", data.split, "voc: images of ImageSets/Main/NAME.txt")
      ->type_name("NAME");
  command.add_option("--images", data.images, "coco: the folder of the images")
      ->type_name("FOLDER");
  command
      .add_option("--image-ids", data.image_ids, "Only images listed here, one id or name a line")
      ->type_name("FILE");
}

void AddRunFlags(CLI::App& command, Arguments& args) {
  command.add_option("--model", args.model, "Model folder")->capture_default_str();
  command.add_option("--server", args.server, "Ask this server, host:port, not a model in process")
      ->type_name("ADDR");
  std::vector<std::string> names;
  std::string by_default;
  for (const NamedMethod& method : KnownMethods()) {
    names.push_back(method.name);
    if (method.by_default) by_default += (by_default.empty() ? "" : ",") + method.name;
  }
  command.add_option("--methods", args.methods, "Methods, in the order of the table's rows")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->default_str(by_default);
  command.add_option("--lanes", args.lanes, "Images in work at once, one thread each")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command.add_option("--limit", args.limit, "Only the first N images, 0 = all")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command
      .add_option("--resume", args.resume,
                  "Append each image's result here, and skip those that are there")
      ->type_name("FILE.jsonl");
  AddOptionFlags(command, args.options);
}

void AddOutputFlags(CLI::App& command, Arguments& args) {
  command.add_option("--format", args.format, "text, markdown or json")
      ->transform(CLI::CheckedTransformer(TableFormats()));
  command.add_flag_callback(
      "--json", [&args] { args.format = TableFormat::kJson; }, "The same as --format json");
}

void AddCorLocFlags(CLI::App& command, Arguments& args) {
  command.add_option("--predictions", args.predictions,
                     "Write every image's box to this JSON file");
  command.add_option("--sheet", args.sheet, "Draw a contact sheet of the first method's boxes")
      ->type_name("FILE.png");
  command.add_option("--sheet-count", args.sheet_count, "Images on the sheet")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  command.add_option("--sheet-order", args.sheet_order, "best-worst (by IoU) or first")
      ->transform(CLI::CheckedTransformer(std::map<std::string, SheetOrder>{
          {"best-worst", SheetOrder::kBestWorst}, {"first", SheetOrder::kFirst}}));
}

int Main(int argc, char** argv) {
  CLI::App app("Evaluates Object-DINO on photographs with ground truth.", "objectdino-eval");
  app.footer(kFooter);
  app.require_subcommand(1);
  Arguments args;
  args.lanes = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 256U));
  for (const Subcommand& subcommand : Subcommands()) {
    CLI::App* parser = app.add_subcommand(subcommand.name, subcommand.help);
    parser->footer(kFooter);
    AddDataFlags(*parser, args.data);
    AddRunFlags(*parser, args);
    AddOutputFlags(*parser, args);
    if (subcommand.name == "corloc") AddCorLocFlags(*parser, args);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    std::cerr << "objectdino-eval: " << absl::StrReplaceAll(error.what(), {{"\n", " "}})
              << " (see objectdino-eval --help)\n";
    return kExitUsage;
  }
  const std::string name = app.get_subcommands().front()->get_name();
  const auto chosen = std::find_if(Subcommands().begin(), Subcommands().end(),
                                   [&name](const Subcommand& s) { return s.name == name; });
  const std::unique_ptr<Command> command = chosen->make();
  const absl::Status status =
      Session(args, name, *command, {std::cout, std::cerr, isatty(STDERR_FILENO) == 1, interrupted})
          .Run();
  if (status.ok()) return 0;
  std::cerr << "objectdino-eval: " << status.message() << "\n";
  return absl::IsCancelled(status) ? kExitInterrupted : kExitFailed;
}

}  // namespace
}  // namespace objectdino

int main(int argc, char** argv) {
  struct sigaction action = {};
  action.sa_handler = objectdino::OnInterrupt;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  try {
    return objectdino::Main(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "objectdino-eval: " << e.what() << "\n";
    return objectdino::kExitFailed;
  }
}
