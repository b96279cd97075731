// SPDX-License-Identifier: Apache-2.0
// The line of the log that every image leaves, whatever came of it: event "ground.done".
#ifndef OBJECTDINO_SERVER_ACCESS_LOG_H_
#define OBJECTDINO_SERVER_ACCESS_LOG_H_

#include <string>

#include "absl/status/status.h"

#include "server/event_log.h"
#include "server/ground_job.h"
#include "server/grpc_status.h"

namespace objectdino {

// Who asked: the same for all images of a call.
struct CallFacts {
  const char* method = "";  // the RPC's name
  std::string peer;
  std::string trace_id;  // of the traceparent header, 32 hex digits; empty without
};

// Level error where `wire` has an incident, whose text only the log has; info otherwise.
void LogOutcome(const CallFacts& call, const GroundJob& job, const absl::Status& status,
                const WireStatus& wire, absl::Duration wall, EventLog& log);

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_ACCESS_LOG_H_
