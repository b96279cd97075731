// SPDX-License-Identifier: Apache-2.0
#include "server/request_error.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "core/image/decode.h"

namespace objectdino {
namespace {

constexpr char kFieldPayload[] = "objectdino/FIELD";
constexpr char kResponseTooLargePayload[] = "objectdino/RESPONSE_TOO_LARGE";
constexpr char kRetryPayload[] = "objectdino/RETRY";  // milliseconds, decimal

}  // namespace

absl::Status WithField(absl::Status status, absl::string_view field) {
  status.SetPayload(kFieldPayload, absl::Cord(field));
  return status;
}

absl::Status FieldError(absl::string_view field, absl::string_view what) {
  return WithField(absl::InvalidArgumentError(absl::StrCat(field, " ", what)), field);
}

absl::Status UnknownValue(absl::string_view field, int value) {
  return FieldError(field, absl::StrCat("has the unknown value ", value));
}

absl::Status FieldUnimplemented(absl::string_view field, absl::string_view what) {
  return WithField(absl::UnimplementedError(absl::StrCat(field, " ", what)), field);
}

absl::Status ImageTooLarge(absl::string_view field, absl::string_view what) {
  absl::Status status = FieldError(field, what);
  status.SetPayload(kImageTooLargePayload, absl::Cord());
  return status;
}

absl::Status ResponseTooLarge(int64_t limit) {
  absl::Status status = absl::ResourceExhaustedError(
      absl::StrCat("the response would be more than ", limit,
                   " bytes, the most that is allowed: ask for fewer outputs, a smaller "
                   "input_size or a smaller image"));
  status.SetPayload(kResponseTooLargePayload, absl::Cord());
  return status;
}

absl::Status ComeBackLater(absl::string_view why, absl::Duration delay) {
  absl::Status status = absl::ResourceExhaustedError(why);
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(delay, absl::Milliseconds(1)));
  status.SetPayload(kRetryPayload, absl::Cord(absl::StrCat(ms)));
  return status;
}

std::optional<std::string> FieldOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kFieldPayload);
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

std::optional<std::string> ReasonOf(const absl::Status& status) {
  if (status.GetPayload(kImageTooLargePayload).has_value()) return "IMAGE_TOO_LARGE";
  if (status.GetPayload(kResponseTooLargePayload).has_value()) return "RESPONSE_TOO_LARGE";
  return std::nullopt;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryPayload);
  int64_t ms = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &ms)) return std::nullopt;
  return absl::Milliseconds(ms);
}

}  // namespace objectdino
