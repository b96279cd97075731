// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/outcomes_csv.h"

#include "absl/status/status.h"
#include "absl/strings/str_format.h"

namespace objectdino {

std::string OutcomesCsv(absl::Span<const Outcome> outcomes) {
  std::string csv =
      "due_seconds,sent_seconds,answered_seconds,deadline_seconds,code,attempts,request_bytes,"
      "response_bytes,counts,dropped,unfinished,bad_input,cancel_planned\n";
  for (const Outcome& o : outcomes) {
    absl::StrAppendFormat(&csv, "%.9f,%.9f,%.9f,%.9f,%s,%d,%d,%d,%d,%d,%d,%d,%d\n",
                          absl::ToDoubleSeconds(o.due), absl::ToDoubleSeconds(o.sent),
                          absl::ToDoubleSeconds(o.answered), absl::ToDoubleSeconds(o.deadline),
                          absl::StatusCodeToString(static_cast<absl::StatusCode>(o.code)),
                          o.attempts, o.request_bytes, o.response_bytes, o.counts, o.dropped,
                          o.unfinished, o.bad_input, o.cancel_planned);
  }
  return csv;
}

}  // namespace objectdino
