// SPDX-License-Identifier: Apache-2.0
#include "server/access_log.h"

#include <utility>

namespace objectdino {

void LogOutcome(const CallFacts& call, const GroundJob& job, const absl::Status& status,
                const WireStatus& wire, absl::Duration wall, EventLog& log) {
  const StageTimings& stages = job.times.stages;
  nlohmann::ordered_json line = {{"id", job.exchange.question.request_id},
                                 {"method", call.method},
                                 {"peer", call.peer},
                                 {"code", CodeName(wire.status)},
                                 {"ms", absl::ToDoubleMilliseconds(wall)},
                                 {"queue_ms", job.times.queue_ms},
                                 {"decode_ms", stages.decode_ms},
                                 {"preprocess_ms", stages.preprocess_ms},
                                 {"backbone_ms", stages.backbone_ms},
                                 {"heads_ms", stages.heads_ms},
                                 {"objects_ms", stages.objects_ms},
                                 {"masks_ms", stages.masks_ms},
                                 {"encode_ms", job.times.encode_ms},
                                 {"batch_size", job.batch_size},
                                 {"request_bytes", job.exchange.request.ByteSizeLong()}};
  if (job.exchange.regions != nullptr) line["regions"] = job.exchange.regions->size();
  if (!call.trace_id.empty()) line["trace_id"] = call.trace_id;
  if (status.ok()) {
    line["response_bytes"] = job.exchange.response.ByteSizeLong();
    line["objects"] = job.exchange.grounding.objects_size();
  } else {
    line["message"] = std::string(status.message());
  }
  if (wire.incident.empty()) {
    log.Info("ground.done", std::move(line));
  } else {
    line["incident"] = wire.incident;
    log.Error("ground.done", std::move(line));
  }
}

}  // namespace objectdino
