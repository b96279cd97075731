// SPDX-License-Identifier: Apache-2.0
#include "server/service_parts.h"

#include <algorithm>

#include "absl/time/clock.h"

#include "server/trace_context.h"

namespace objectdino {
namespace {

// gRPC has a time point, not a flag, for "no deadline": the end of time, give or take a conversion.
constexpr absl::Duration kNoDeadline = absl::Hours(24 * 365 * 100);

}  // namespace

absl::Status CheckToken(const ServiceParts& parts, const grpc::CallbackServerContext& context) {
  return parts.authenticator.Check(context.client_metadata());
}

CallFacts FactsOf(const char* method, const grpc::CallbackServerContext& context) {
  const auto trace = TraceContextOf(context.client_metadata());
  return {method, context.peer(), trace ? trace->trace_id : ""};
}

absl::Time DeadlineOf(const ServiceParts& parts, const grpc::CallbackServerContext& context,
                      absl::Time arrival) {
  absl::Time deadline = absl::FromChrono(context.deadline());
  if (deadline - arrival > kNoDeadline) deadline = absl::InfiniteFuture();
  return std::min(deadline, arrival + parts.default_deadline);
}

WireStatus RecordOutcome(const ServiceParts& parts, const CallFacts& call, const GroundJob& job,
                         const absl::Status& status) {
  const absl::Duration wall = absl::Now() - job.arrival;
  WireStatus wire = ToWireStatus(status);
  LogOutcome(call, job, status, wire, wall, parts.log);
  parts.metrics.ObserveRequest(call.method, CodeName(wire.status), absl::ToDoubleSeconds(wall));
  parts.metrics.ObserveBytes(
      static_cast<int64_t>(job.exchange.request.ByteSizeLong()),
      status.ok() ? static_cast<int64_t>(job.exchange.response.ByteSizeLong()) : 0);
  return wire;
}

}  // namespace objectdino
