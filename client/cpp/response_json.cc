// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/response_json.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

#include "core/base/status_macros.h"

namespace objectdino {

using nlohmann::ordered_json;

absl::StatusOr<ordered_json> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
      !status.ok()) {
    return absl::InternalError(absl::StrCat("no JSON for this answer: ", status.ToString()));
  }
  ordered_json document = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return absl::InternalError("protobuf wrote malformed JSON");
  return document;
}

absl::StatusOr<ordered_json> FileEntry(const std::string& file,
                                       const google::protobuf::Message& response) {
  OBJECTDINO_ASSIGN_OR_RETURN(const ordered_json fields, ToJson(response));
  ordered_json entry;
  entry["file"] = file;
  entry.update(fields);
  return entry;
}

ordered_json ErrorEntry(const std::string& file, const absl::Status& status) {
  ordered_json entry;
  entry["file"] = file;
  entry["error"]["code"] = absl::StatusCodeToString(status.code());
  entry["error"]["message"] = std::string(status.message());
  return entry;
}

std::string JsonText(const ordered_json& document) {
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace objectdino
