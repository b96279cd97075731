// SPDX-License-Identifier: Apache-2.0
#include "server/ground_call.h"

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "core/base/status_macros.h"
#include "server/codec.h"
#include "server/grpc_status.h"
#include "server/request_error.h"

namespace objectdino {
namespace {

constexpr char kMethodName[] = "Ground";

// Milliseconds since `*mark`, which moves to now.
double Lap(absl::Time* mark) {
  const absl::Time now = absl::Now();
  return absl::ToDoubleMilliseconds(now - std::exchange(*mark, now));
}

}  // namespace

absl::Status CheckStillWanted(bool cancelled, absl::Time deadline, absl::Time now) {
  if (now >= deadline) return absl::DeadlineExceededError("the deadline has passed");
  if (cancelled) return absl::CancelledError("the caller has gone away");
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* GroundCall::Start(const ServiceParts& parts,
                                            grpc::CallbackServerContext* context,
                                            const v1::GroundRequest* request,
                                            v1::GroundResponse* response) {
  auto* call = new GroundCall(parts, context, request, response);
  if (const absl::Status status = call->Admit(); !status.ok()) {
    call->Answer(status);
  } else {
    parts.log.Debug("ground.queued", {{"id", request->request_id()}, {"peer", context->peer()}});
    parts.lanes.Run([call] { call->RunOnLane(); });
  }
  return call;
}

GroundCall::GroundCall(const ServiceParts& parts, grpc::CallbackServerContext* context,
                       const v1::GroundRequest* request, v1::GroundResponse* response)
    : parts_(parts),
      context_(context),
      request_(request),
      response_(response),
      arrival_(absl::Now()) {}

absl::Status GroundCall::Admit() {
  OBJECTDINO_ASSIGN_OR_RETURN(
      parsed_, ParseGroundRequest(*request_, parts_.engine.facts().config, parts_.limits));
  absl::Status status = parts_.in_flight.Enter();
  if (!status.ok()) {
    parts_.metrics.CountRejection(absl::IsUnavailable(status) ? Rejection::kDraining
                                                              : Rejection::kNoPlace);
    return status;
  }
  admitted_ = true;
  parts_.metrics.inflight().Increment();
  return absl::OkStatus();
}

absl::Status GroundCall::StillWanted() const {
  return CheckStillWanted(context_->IsCancelled(), absl::FromChrono(context_->deadline()),
                          absl::Now());
}

void GroundCall::RunOnLane() {
  absl::Status status;
  try {
    status = Compute();
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    status = absl::InternalError(error.what());
  }
  Answer(status);
}

absl::Status GroundCall::Compute() {
  absl::Time mark = arrival_;
  queue_ms_ = Lap(&mark);
  parts_.metrics.ObserveStage("queue", queue_ms_ / 1e3);
  OBJECTDINO_RETURN_IF_ERROR(StillWanted());
  OBJECTDINO_ASSIGN_OR_RETURN(RequestImage image,
                              ReadRequestImage(request_->image(), parsed_.decode));
  timings_.decode_ms = Lap(&mark);
  parts_.metrics.ObserveStage("decode", timings_.decode_ms / 1e3);

  OBJECTDINO_RETURN_IF_ERROR(StillWanted());
  absl::StatusOr<Grounding> grounding = parts_.engine.Ground(image.image, parsed_.options);
  if (!grounding.ok()) {
    // Options were checked at arrival, so what is left to be wrong is the image.
    return absl::IsInvalidArgument(grounding.status()) ? WithField(grounding.status(), "image")
                                                       : grounding.status();
  }
  image.image.rgb = {};
  const double decode_ms = std::exchange(timings_, grounding->timings).decode_ms;
  timings_.decode_ms = decode_ms;
  parts_.metrics.ObserveStage("preprocess", timings_.preprocess_ms / 1e3);
  parts_.metrics.ObserveStage("backbone", timings_.backbone_ms / 1e3);
  parts_.metrics.ObserveStage("heads", timings_.heads_ms / 1e3);
  parts_.metrics.ObserveStage("objects", timings_.objects_ms / 1e3);
  if (parsed_.options.pixel_masks) parts_.metrics.ObserveStage("masks", timings_.masks_ms / 1e3);
  parts_.metrics.CountResult(*grounding);

  OBJECTDINO_RETURN_IF_ERROR(StillWanted());
  mark = absl::Now();
  EncodeGrounding(*grounding, parsed_, image, parts_.engine.facts(), response_);
  response_->set_request_id(request_->request_id());
  encode_ms_ = Lap(&mark);
  parts_.metrics.ObserveStage("encode", encode_ms_ / 1e3);
  v1::Timing* timing = response_->mutable_timing();
  timing->set_queue_ms(static_cast<float>(queue_ms_));
  timing->set_decode_ms(static_cast<float>(timings_.decode_ms));
  timing->set_encode_ms(static_cast<float>(encode_ms_));
  const auto bytes = static_cast<int64_t>(response_->ByteSizeLong());
  if (bytes > parts_.limits.max_response_bytes) {
    return ResponseTooLarge(bytes, parts_.limits.max_response_bytes);
  }
  return absl::OkStatus();
}

// Records the outcome, then sends it. The call may be gone when Finish returns.
void GroundCall::Answer(const absl::Status& status) {
  const absl::Duration wall = absl::Now() - arrival_;
  const WireStatus wire = ToWireStatus(status);
  const std::string code = CodeName(wire.status);
  nlohmann::ordered_json line = {{"id", request_->request_id()},
                                 {"peer", context_->peer()},
                                 {"code", code},
                                 {"ms", absl::ToDoubleMilliseconds(wall)},
                                 {"queue_ms", queue_ms_},
                                 {"decode_ms", timings_.decode_ms},
                                 {"preprocess_ms", timings_.preprocess_ms},
                                 {"backbone_ms", timings_.backbone_ms},
                                 {"heads_ms", timings_.heads_ms},
                                 {"objects_ms", timings_.objects_ms},
                                 {"masks_ms", timings_.masks_ms},
                                 {"encode_ms", encode_ms_},
                                 {"request_bytes", request_->ByteSizeLong()}};
  if (status.ok()) {
    line["response_bytes"] = response_->ByteSizeLong();
    line["objects"] = response_->objects_size();
  } else {
    line["message"] = std::string(status.message());
  }
  if (wire.incident.empty()) {
    parts_.log.Info("ground.done", std::move(line));
  } else {
    line["incident"] = wire.incident;
    parts_.log.Error("ground.done", std::move(line));
  }
  parts_.metrics.ObserveRequest(kMethodName, code, absl::ToDoubleSeconds(wall));
  if (const auto delay = RetryDelayOf(status)) {
    context_->AddTrailingMetadata("grpc-retry-pushback-ms",
                                  absl::StrCat(absl::ToInt64Milliseconds(*delay)));
  }
  if (admitted_) {
    parts_.metrics.inflight().Decrement();
    parts_.in_flight.Leave();
  }
  Finish(wire.status);
}

void GroundCall::OnCancel() {
  parts_.log.Debug("ground.cancelled", {{"id", request_->request_id()}});
}

void GroundCall::OnDone() {
  if (admitted_) parts_.in_flight.Done();
  delete this;
}

}  // namespace objectdino
