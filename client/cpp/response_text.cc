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
  const v1::ImageInfo& image = response.image();
  std::string text =
      absl::StrFormat("%s  %dx%d %s, %s, %s\n", file, image.width(), image.height(), image.format(),
                      MethodName(response.method()), ModelName(response.model()));
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
  absl::StrAppend(&text, "  time ", TimingText(response.timing()), "\n");
  for (const v1::Warning& warning : response.warnings()) {
    absl::StrAppend(&text, WarningText(warning));
  }
  return text;
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
          "%d requests waiting\n",
          limits.max_pixels(), limits.max_dimension(), limits.max_input_size(),
          limits.max_request_bytes(), limits.max_response_bytes(), limits.max_queue()));
}

}  // namespace objectdino
