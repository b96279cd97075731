// SPDX-License-Identifier: Apache-2.0
#include "server/trace_context.h"

#include <iterator>

namespace objectdino {
namespace {

constexpr char kHeader[] = "traceparent";
constexpr size_t kTraceIdAt = 3;  // behind "vv-"
constexpr size_t kTraceIdDigits = 32;
constexpr size_t kParentIdAt = kTraceIdAt + kTraceIdDigits + 1;
constexpr size_t kParentIdDigits = 16;
constexpr size_t kFlagsAt = kParentIdAt + kParentIdDigits + 1;
constexpr size_t kLength = kFlagsAt + 2;  // of version 00; later ones may go on behind a dash

bool IsHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsId(absl::string_view text) {
  return IsHex(text) && text.find_first_not_of('0') != absl::string_view::npos;
}

}  // namespace

std::optional<TraceContext> ParseTraceParent(absl::string_view traceparent) {
  if (traceparent.size() < kLength) return std::nullopt;
  for (const size_t dash : {kTraceIdAt - 1, kParentIdAt - 1, kFlagsAt - 1}) {
    if (traceparent[dash] != '-') return std::nullopt;
  }
  const absl::string_view version = traceparent.substr(0, 2);
  const absl::string_view trace_id = traceparent.substr(kTraceIdAt, kTraceIdDigits);
  const absl::string_view parent_id = traceparent.substr(kParentIdAt, kParentIdDigits);
  const absl::string_view flags = traceparent.substr(kFlagsAt, 2);
  if (!IsHex(version) || version == "ff" || !IsHex(flags)) return std::nullopt;
  if (!IsId(trace_id) || !IsId(parent_id)) return std::nullopt;
  if (traceparent.size() > kLength && (version == "00" || traceparent[kLength] != '-')) {
    return std::nullopt;
  }
  const bool sampled = absl::string_view("13579bdf").find(flags[1]) != absl::string_view::npos;
  return TraceContext{std::string(trace_id), std::string(parent_id), sampled};
}

std::optional<TraceContext> TraceContextOf(
    const std::multimap<grpc::string_ref, grpc::string_ref>& client_metadata) {
  const auto [first, end] = client_metadata.equal_range(kHeader);
  if (first == end || std::next(first) != end) return std::nullopt;
  return ParseTraceParent({first->second.data(), first->second.size()});
}

}  // namespace objectdino
