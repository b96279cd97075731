// SPDX-License-Identifier: Apache-2.0
#include "server/grpc_status.h"

#include <cstdint>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include "server/request_error.h"

namespace objectdino {
namespace {

constexpr char kErrorDomain[] = "objectdino";
// All metadata of a reply must fit gRPC's default of 8 KiB, and the message is in it already.
constexpr size_t kMaxDescriptionBytes = 256;

bool InContract(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

std::string CutUtf8(absl::string_view text, size_t limit) {
  if (text.size() <= limit) return std::string(text);
  size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

std::string NewIncident() {
  std::random_device random;
  const uint64_t id = (uint64_t{random()} << 32) | random();
  return absl::StrCat(absl::Hex(id, absl::kZeroPad16));
}

// Serialized google.rpc.Status for the grpc-status-details-bin trailer; empty without details.
std::string Details(const absl::Status& status, const std::string& message) {
  google::rpc::Status details;
  if (const auto field = FieldOf(status)) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(*field);
    violation->set_description(CutUtf8(message, kMaxDescriptionBytes));
    details.add_details()->PackFrom(bad_request);
  }
  if (const auto reason = ReasonOf(status)) {
    google::rpc::ErrorInfo info;
    info.set_reason(*reason);
    info.set_domain(kErrorDomain);
    details.add_details()->PackFrom(info);
  }
  if (const auto delay = RetryDelayOf(status)) {
    google::rpc::RetryInfo retry;
    const int64_t nanos = absl::ToInt64Nanoseconds(*delay);
    retry.mutable_retry_delay()->set_seconds(nanos / 1'000'000'000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
    details.add_details()->PackFrom(retry);
  }
  if (details.details().empty()) return "";
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  return details.SerializeAsString();
}

}  // namespace

WireStatus ToWireStatus(const absl::Status& status) {
  if (status.ok()) return {};
  if (!InContract(status.code())) {
    std::string incident = NewIncident();
    std::string message = absl::StrCat("internal error, incident ", incident);
    return {grpc::Status(grpc::StatusCode::INTERNAL, message), std::move(incident)};
  }
  const std::string message = CutUtf8(status.message(), kMaxStatusMessageBytes);
  // The two enums share their values.
  return {
      grpc::Status(static_cast<grpc::StatusCode>(status.code()), message, Details(status, message)),
      ""};
}

std::string CodeName(const grpc::Status& status) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code()));
}

}  // namespace objectdino
