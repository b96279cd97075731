// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "client/cpp/commands/commands.h"
#include "client/cpp/commands/method_flags.h"
#include "client/cpp/image_files.h"
#include "client/cpp/response_json.h"
#include "client/cpp/response_text.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

struct VerifyFlags {
  ServerFlags server;
  MethodFlags method;
  std::string path;
  std::vector<std::string> boxes;
  std::vector<std::string> points;
  bool json = false;
};

// "1,2.5,3" as `count` finite numbers; none otherwise.
std::vector<float> Numbers(const std::string& text, size_t count) {
  std::vector<float> numbers;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    float number = 0;
    if (!absl::SimpleAtof(part, &number) || !std::isfinite(number)) return {};
    numbers.push_back(number);
  }
  if (numbers.size() != count) numbers.clear();
  return numbers;
}

// REQUIRES: the parser has checked the numbers.
std::vector<v1::Region> RegionsOf(const VerifyFlags& flags) {
  std::vector<v1::Region> regions;
  for (const std::string& text : flags.boxes) {
    const std::vector<float> bounds = Numbers(text, 4);
    v1::Box* const box = regions.emplace_back().mutable_box();
    box->set_x1(bounds[0]);
    box->set_y1(bounds[1]);
    box->set_x2(bounds[2]);
    box->set_y2(bounds[3]);
  }
  for (const std::string& text : flags.points) {
    const std::vector<float> at = Numbers(text, 2);
    v1::Point* const point = regions.emplace_back().mutable_point();
    point->set_x(at[0]);
    point->set_y(at[1]);
  }
  return regions;
}

absl::Status ShowScores(const VerifyFlags& flags, const GroundingClient& client,
                        const Console& console) {
  OBJECTDINO_ASSIGN_OR_RETURN(const std::string bytes, ReadImageFile(flags.path));
  OBJECTDINO_ASSIGN_OR_RETURN(
      const v1::VerifyRegionsResponse response,
      client.VerifyRegions(bytes, RegionsOf(flags), flags.method.Options()));
  if (flags.json) {
    OBJECTDINO_ASSIGN_OR_RETURN(const auto document, FileEntry(flags.path, response));
    console.out << JsonText(document);
  } else {
    console.out << VerificationText(flags.path, response);
  }
  return absl::OkStatus();
}

int RunVerify(const VerifyFlags& flags, const Console& console) {
  if (flags.boxes.empty() && flags.points.empty()) {
    console.err << "objectdino: verify needs --box or --point (see objectdino --help)\n";
    return kExitUsage;
  }
  const auto client = Connect(flags.server);
  if (!client.ok()) {
    console.err << "objectdino: " << ErrorText(client.status()) << "\n";
    return kExitUsage;
  }
  const absl::Status status = ShowScores(flags, **client, console);
  if (status.ok()) return console.interrupted ? kExitInterrupted : kExitOk;
  if (flags.json) console.out << JsonText(ErrorEntry(flags.path, status));
  if (absl::IsUnavailable(status)) return ReportServerError(flags.server, status, console);
  console.err << absl::StrCat("objectdino: ", flags.path, ": ", ErrorText(status), "\n");
  return console.interrupted ? kExitInterrupted : kExitFailed;
}

// `count` numbers with commas between them, as often as one likes.
void AddNumbers(CLI::App& command, const std::string& flag, std::vector<std::string>& values,
                size_t count, const std::string& shape, const std::string& help) {
  command.add_option(flag, values, help)
      ->type_name(shape)
      ->allow_extra_args(false)  // leaves the image that may follow
      ->check([count, shape](const std::string& text) {
        return Numbers(text, count).empty() ? "must be " + shape + ", got " + text : std::string();
      });
}

}  // namespace

Command AddVerifyCommand(CLI::App& program) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* parser = program.add_subcommand(
      "verify", "Scores claimed regions of an image: how much each looks like an object");
  parser->add_option("IMAGE", flags->path, "JPEG, PNG or WebP file")->required()->option_text(" ");
  AddServerFlags(*parser, flags->server);
  AddNumbers(*parser, "--box", flags->boxes, 4, "X1,Y1,X2,Y2",
             "A box in pixels of the upright image; may be given many times");
  AddNumbers(*parser, "--point", flags->points, 2, "X,Y",
             "A point, scored after the boxes; may be given many times");
  parser->add_flag("--json", flags->json, "One JSON document on the standard output");
  AddMethodFlags(*parser, flags->method);
  return {parser, [flags](const Console& console) { return RunVerify(*flags, console); }};
}

}  // namespace objectdino
