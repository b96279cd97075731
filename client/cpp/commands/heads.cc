// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"

#include "client/cpp/commands/choice_flag.h"
#include "client/cpp/commands/commands.h"
#include "client/cpp/commands/method_flags.h"
#include "client/cpp/heads_sheet.h"
#include "client/cpp/heads_text.h"
#include "client/cpp/image_files.h"
#include "client/cpp/overlay.h"
#include "client/cpp/response_json.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

struct HeadsFlags {
  ServerFlags server;
  MethodFlags method;
  std::string path;
  std::string sheet_path;
  HeadComponent component = HeadComponent::kAll;
  bool json = false;
};

absl::Status WriteSheet(const HeadsFlags& flags, const std::string& bytes,
                        const v1::GroundResponse& response) {
  OBJECTDINO_ASSIGN_OR_RETURN(const Image image, DecodeGrounded(bytes, response.image()));
  OBJECTDINO_ASSIGN_OR_RETURN(const Image sheet, DrawHeadsSheet(image, response, flags.component));
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string png, EncodePng(sheet));
  return WriteFile(flags.sheet_path, png);
}

// Analyses the image and reports it.
absl::Status ShowHeads(const HeadsFlags& flags, const GroundingClient& client,
                       const Console& console) {
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string bytes, ReadImageFile(flags.path));
  v1::GroundOptions options = flags.method.Options();
  options.add_outputs(v1::OUTPUT_HEADS);
  options.set_embedding_dtype(v1::DATA_TYPE_F32);  // half floats are too coarse for flat maps
  OBJECTDINO_ASSIGN_OR_RETURN(const v1::GroundResponse response, client.Ground(bytes, options));
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string text, HeadsText(flags.path, response));
  if (!flags.sheet_path.empty()) {
    OBJECTDINO_RETURN_IF_ERROR(WriteSheet(flags, bytes, response));
  }
  if (flags.json) {
    OBJECTDINO_ASSIGN_OR_RETURN(const auto document, FileEntry(flags.path, response));
    console.out << JsonText(document);
  } else {
    console.out << text;
  }
  if (!flags.sheet_path.empty()) {
    (flags.json ? console.err : console.out) << "  sheet " << flags.sheet_path << "\n";
  }
  return absl::OkStatus();
}

int RunHeads(const HeadsFlags& flags, const Console& console) {
  const auto client = Connect(flags.server);
  if (!client.ok()) {
    console.err << "objectdino: " << ErrorText(client.status()) << "\n";
    return kExitUsage;
  }
  const absl::Status status = ShowHeads(flags, **client, console);
  if (status.ok()) return console.interrupted ? kExitInterrupted : kExitOk;
  if (flags.json) console.out << JsonText(ErrorEntry(flags.path, status));
  if (absl::IsUnavailable(status)) return ReportServerError(flags.server, status, console);
  console.err << absl::StrCat("objectdino: ", flags.path, ": ", ErrorText(status), "\n");
  return console.interrupted ? kExitInterrupted : kExitFailed;
}

}  // namespace

Command AddHeadsCommand(CLI::App& program) {
  auto flags = std::make_shared<HeadsFlags>();
  CLI::App* parser = program.add_subcommand(
      "heads", "Shows the attention heads of an image: their clusters and self-similarity maps");
  parser->add_option("IMAGE", flags->path, "JPEG, PNG or WebP file")->required()->option_text(" ");
  AddServerFlags(*parser, flags->server);
  parser->add_option("--out", flags->sheet_path, "Draws the maps of all heads as one PNG file")
      ->type_name("FILE");
  AddChoice<HeadComponent>(*parser, "--component", flags->component,
                           {{"all", HeadComponent::kAll},
                            {"k", HeadComponent::kKey},
                            {"mean", HeadComponent::kMean},
                            {"q", HeadComponent::kQuery},
                            {"v", HeadComponent::kValue}},
                           "Which maps --out draws: of queries, keys, values, their mean, or all "
                           "three side by side (the default)");
  parser->add_flag("--json", flags->json,
                   "One JSON document on the standard output, maps included");
  AddMethodFlags(*parser, flags->method);
  return {parser, [flags](const Console& console) { return RunHeads(*flags, console); }};
}

}  // namespace objectdino
