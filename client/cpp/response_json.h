// SPDX-License-Identifier: Apache-2.0
// Answers as JSON: protobuf's own JSON mapping (bytes in base64, enums by name, 64-bit numbers as
// strings) with the proto's field names and every plain field present. Thread-safety: pure
// functions.
#ifndef OBJECTDINO_CLIENT_CPP_RESPONSE_JSON_H_
#define OBJECTDINO_CLIENT_CPP_RESPONSE_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

namespace objectdino {

// INTERNAL: the message has no JSON form.
absl::StatusOr<nlohmann::ordered_json> ToJson(const google::protobuf::Message& message);

// {"file": ..., <the answer's fields>}
absl::StatusOr<nlohmann::ordered_json> FileEntry(const std::string& file,
                                                 const google::protobuf::Message& response);

// {"file": ..., "error": {"code": "INVALID_ARGUMENT", "message": ...}}
nlohmann::ordered_json ErrorEntry(const std::string& file, const absl::Status& status);

// Indented text with a final newline; bytes that are not UTF-8 (file names can be) are replaced.
std::string JsonText(const nlohmann::ordered_json& document);

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_RESPONSE_JSON_H_
