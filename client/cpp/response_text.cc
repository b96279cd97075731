// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/response_text.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace objectdino {
namespace {

constexpr size_t kDigestDigits = 12;

std::string ModelName(const v1::ModelRef& model) {
  return absl::StrCat(model.name(), "@", model.weights_sha256().substr(0, kDigestDigits));
}

double TotalMs(const v1::Timing& t) {
  return double{t.decode_ms()} + t.preprocess_ms() + t.queue_ms() + t.backbone_ms() + t.heads_ms() +
         t.objects_ms() + t.masks_ms() + t.encode_ms();
}

std::string TimingText(const v1::Timing& t) {
  return absl::StrFormat(
      "%.1f ms: decode %.1f, preprocess %.1f, queue %.1f, backbone %.1f, heads %.1f, objects %.1f, "
      "masks %.1f, encode %.1f",
      TotalMs(t), t.decode_ms(), t.preprocess_ms(), t.queue_ms(), t.backbone_ms(), t.heads_ms(),
      t.objects_ms(), t.masks_ms(), t.encode_ms());
}

std::string Heading(const std::string& file, const v1::GroundResponse& response) {
  const v1::ImageInfo& image = response.image();
  return absl::StrFormat("%s  %dx%d %s, %s, %s\n", file, image.width(), image.height(),
                         image.format(), MethodName(response.method()),
                         ModelName(response.model()));
}

std::string Footing(const v1::GroundResponse& response) {
  std::string text = absl::StrCat("  time ", TimingText(response.timing()), "\n");
  for (const v1::Warning& warning : response.warnings()) {
    absl::StrAppend(&text, WarningText(warning));
  }
  return text;
}

}  // namespace

std::string MethodName(v1::Method method) {
  const std::string name = v1::Method_Name(method);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "METHOD_"));
}

std::string WarningText(const v1::Warning& warning) {
  const std::string code = v1::Warning::Code_Name(warning.code());
  return absl::StrCat("  warning ", absl::StripPrefix(code, "CODE_"), ": ", warning.message(),
                      "\n");
}

std::string GroundingText(const std::string& file, const v1::GroundResponse& response) {
  std::string text = Heading(file, response);
  if (response.objects().empty()) {
    absl::StrAppend(&text, "  no objects\n");
  } else {
    absl::StrAppendFormat(&text, "  %3s  %5s  %8s %8s %8s %8s  %6s\n", "#", "score", "x1", "y1",
                          "x2", "y2", "area");
  }
  for (const v1::GroundedObject& object : response.objects()) {
    const v1::Box& box = object.box();
    absl::StrAppendFormat(&text, "  %3d  %5.2f  %8.1f %8.1f %8.1f %8.1f  %5.1f%%\n",
                          object.index() + 1, object.score(), box.x1(), box.y1(), box.x2(),
                          box.y2(), 100 * object.area_fraction());
  }
  return text + Footing(response);
}

std::string VerificationText(const std::string& file, const v1::VerifyRegionsResponse& response) {
  std::string text = Heading(file, response.grounding());
  absl::StrAppendFormat(&text, "  %3s  %5s  %6s %6s  %7s  %6s %5s  %8s %8s %8s %8s\n", "#", "score",
                        "inside", "around", "covered", "object", "IoU", "x1", "y1", "x2", "y2");
  int number = 0;
  for (const v1::RegionScore& score : response.scores()) {
    const v1::Box& box = score.box();
    absl::StrAppendFormat(&text, "  %3d  %5.2f  %6.2f %6.2f  %6.1f%%", ++number, score.score(),
                          score.objectness_inside(), score.objectness_around(),
                          100 * score.coverage());
    if (score.has_best_object()) {
      absl::StrAppendFormat(&text, "  %6d %5.2f", score.best_object().index() + 1,
                            score.best_object().iou());
    } else {
      absl::StrAppendFormat(&text, "  %6s %5s", "-", "-");
    }
    absl::StrAppendFormat(&text, "  %8.1f %8.1f %8.1f %8.1f\n", box.x1(), box.y1(), box.x2(),
                          box.y2());
  }
  return text + Footing(response.grounding());
}

std::string ModelInfoText(const v1::GetModelInfoResponse& info) {
  const v1::Limits& limits = info.limits();
  const v1::GroundOptions& defaults = info.defaults();
  std::vector<std::string> methods;
  for (const int method : info.methods())
    methods.push_back(MethodName(static_cast<v1::Method>(method)));
  return absl::StrCat(
      absl::StrFormat("model     %s (%s)%s\n", ModelName(info.model()), info.family(),
                      info.random_weights() ? ", random weights" : ""),
      absl::StrFormat(
          "shape     %d layers, %d heads, width %d, patches of %d pixels, %d registers\n",
          info.layers(), info.heads(), info.width(), info.patch_size(), info.registers()),
      absl::StrFormat("build     %s, torch %s, %s, %s\n", info.build_version(),
                      info.torch_version(), info.device(), v1::DataType_Name(info.dtype())),
      absl::StrFormat("methods   %s\n", absl::StrJoin(methods, ", ")),
      absl::StrFormat("defaults  %s, input size %d, %d clusters, at most %d objects, score >= %g\n",
                      MethodName(defaults.method()), defaults.input_size(), defaults.clusters(),
                      defaults.max_objects(), defaults.min_score()),
      absl::StrFormat(
          "limits    %d pixels, %d a side, input size %d, request %d bytes, response %d bytes, "
          "%d regions, %d requests waiting\n",
          limits.max_pixels(), limits.max_dimension(), limits.max_input_size(),
          limits.max_request_bytes(), limits.max_response_bytes(), limits.max_regions(),
          limits.max_queue()));
}

}  // namespace objectdino
