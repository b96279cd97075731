// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heads_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "client/cpp/head_answer.h"
#include "client/cpp/response_text.h"
#include "core/base/status_macros.h"

namespace objectdino {
namespace {

std::string CellText(const HeadAnswer& answer, size_t head) {
  if (answer.clustered()) return absl::StrCat(answer.clusters[head]);
  return answer.object_centric[head] ? "*" : ".";
}

}  // namespace

absl::StatusOr<std::string> HeadsText(const std::string& file, const v1::GroundResponse& response) {
  OBJECTDINO_ASSIGN_OR_RETURN(const HeadAnswer answer, ReadHeadAnswer(response));
  std::string text = absl::StrFormat(
      "%s  %dx%d %s, %s, %s, %d layers, %d heads a layer, %s\n", file, response.image().width(),
      response.image().height(), response.image().format(), MethodName(response.method()),
      response.model().name(), answer.layers, answer.heads,
      answer.clustered() ? absl::StrCat(answer.cluster_sizes.size(), " clusters") : "preset heads");
  absl::StrAppend(&text, "  layer");
  for (int head = 0; head < answer.heads; ++head) absl::StrAppendFormat(&text, " %3d", head);
  for (int layer = 0; layer < answer.layers; ++layer) {
    absl::StrAppendFormat(&text, "\n  %5d", layer);
    for (int head = 0; head < answer.heads; ++head) {
      const size_t index = static_cast<size_t>(layer) * answer.heads + head;
      absl::StrAppendFormat(&text, " %3s", CellText(answer, index));
    }
  }
  if (answer.clustered()) {
    absl::StrAppend(&text, "\n  sizes");
    for (size_t cluster = 0; cluster < answer.cluster_sizes.size(); ++cluster) {
      absl::StrAppend(&text, " ", cluster, ":", answer.cluster_sizes[cluster]);
    }
  }
  absl::StrAppend(&text, "\n  object-centric ",
                  absl::StrJoin(response.heads(), " ",
                                [](std::string* out, const v1::HeadRef& head) {
                                  absl::StrAppend(out, head.layer(), ".", head.head());
                                }),
                  "\n");
  for (const v1::Warning& warning : response.warnings()) {
    absl::StrAppend(&text, WarningText(warning));
  }
  return text;
}

}  // namespace objectdino
