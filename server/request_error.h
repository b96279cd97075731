// SPDX-License-Identifier: Apache-2.0
// Statuses that a caller can act on: they carry a field path, a reason or a delay as payload.
// server/grpc_status turns the payloads into google.rpc details. Thread-safety: pure functions.
#ifndef OBJECTDINO_SERVER_REQUEST_ERROR_H_
#define OBJECTDINO_SERVER_REQUEST_ERROR_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace objectdino {

// INVALID_ARGUMENT "<field> <what>", e.g. ("options.clusters", "must be in [2, 64], got 1").
absl::Status FieldError(absl::string_view field, absl::string_view what);

// INVALID_ARGUMENT for an enum value that the contract does not know.
absl::Status UnknownValue(absl::string_view field, int value);

// UNIMPLEMENTED "<field> <what>".
absl::Status FieldUnimplemented(absl::string_view field, absl::string_view what);

// `status` with the path of the field at fault; its message stays. No-op on OK.
absl::Status WithField(absl::Status status, absl::string_view field);

// INVALID_ARGUMENT with reason IMAGE_TOO_LARGE (the payload of core/image/decode.h).
absl::Status ImageTooLarge(absl::string_view field, absl::string_view what);

// RESOURCE_EXHAUSTED with reason RESPONSE_TOO_LARGE.
absl::Status ResponseTooLarge(int64_t limit);

// RESOURCE_EXHAUSTED with the time after which to come back. REQUIRES: delay is finite.
absl::Status ComeBackLater(absl::string_view why, absl::Duration delay);

// What the functions above attached.
std::optional<std::string> FieldOf(const absl::Status& status);
std::optional<std::string> ReasonOf(const absl::Status& status);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_REQUEST_ERROR_H_
