// SPDX-License-Identifier: Apache-2.0
// The W3C trace context of a request: what ties our log line to the caller's trace.
//
//   traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//
// Reference: https://www.w3.org/TR/trace-context/, section 3.2. Thread-safety: pure functions.
#ifndef OBJECTDINO_SERVER_TRACE_CONTEXT_H_
#define OBJECTDINO_SERVER_TRACE_CONTEXT_H_

#include <grpcpp/support/string_ref.h>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace objectdino {

struct TraceContext {
  std::string trace_id;   // 32 lower-case hex digits, not all zero
  std::string parent_id;  // 16 of them, not all zero: the caller's span
  bool sampled = false;   // the caller records this trace
};

// None when `traceparent` is not to the letter of the standard, which then says to ignore it. Of
// versions after 00 what 00 knows is read, as it also says; ff is none.
std::optional<TraceContext> ParseTraceParent(absl::string_view traceparent);

// The trace context of a call. None without a traceparent, with a bad one, or with several.
std::optional<TraceContext> TraceContextOf(
    const std::multimap<grpc::string_ref, grpc::string_ref>& client_metadata);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_TRACE_CONTEXT_H_
