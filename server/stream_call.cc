// SPDX-License-Identifier: Apache-2.0
#include "server/stream_call.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

#include "server/request_error.h"

namespace objectdino {

StreamCall* StreamCall::Start(const ServiceParts& parts, grpc::CallbackServerContext* context) {
  auto* const call = new StreamCall(parts, context);
  Next next;
  {
    const MutexLock lock(call->mutex_);
    next = call->DecideLocked();
  }
  call->Do(next);
  return call;
}

StreamCall::StreamCall(const ServiceParts& parts, grpc::CallbackServerContext* context)
    : parts_(parts), context_(context), facts_(FactsOf("StreamGround", *context)) {}

StreamCall::Next StreamCall::DecideLocked() {
  Next next;
  if (gone_) {
    for (const Item* item : answered_) ForgetLocked(item);
    answered_.clear();
  } else {
    if (writing_ == nullptr && !answered_.empty()) {
      next.write = writing_ = answered_.front();
      answered_.pop_front();
    }
    if (!reads_over_ && reading_ == nullptr &&
        items_.size() < static_cast<size_t>(parts_.stream_window)) {
      reading_ = std::make_unique<Item>();
      next.read = reading_.get();
    }
  }
  if ((gone_ || reads_over_) && !finished_ && reading_ == nullptr && writing_ == nullptr &&
      items_.empty()) {
    next.finish = finished_ = true;
  }
  return next;
}

void StreamCall::Do(const Next& next) {
  if (next.write != nullptr) {
    parts_.slow_readers.Begin(next.write, [context = context_] { context->TryCancel(); });
    StartWrite(&next.write->response);
  }
  if (next.read != nullptr) StartRead(&next.read->request);
  if (next.finish) Finish(grpc::Status::OK);  // the call may be gone when it returns
}

void StreamCall::ForgetLocked(const Item* item) {
  items_.erase(std::find_if(items_.begin(), items_.end(),
                            [item](const auto& held) { return held.get() == item; }));
}

void StreamCall::OnReadDone(bool ok) {
  Item* item = nullptr;
  absl::Status valid;
  Next next;
  {
    const MutexLock lock(mutex_);
    if (ok) {
      item = reading_.get();
      item->state = std::make_shared<CallerState>();
      if (gone_) item->state->gone = true;
      valid = CheckIdLocked(*item);
      items_.push_back(std::move(reading_));
    } else {
      reading_.reset();
      reads_over_ = true;
    }
    next = DecideLocked();
  }
  Do(next);
  if (item == nullptr) return;
  auto job = std::make_unique<GroundJob>(
      item->state, Exchange(item->request.request(), item->response.mutable_response()));
  job->arrival = absl::Now();
  job->deadline = DeadlineOf(parts_, *context_, job->arrival);
  if (!valid.ok()) {
    Answer(item, std::move(job), valid);
    return;
  }
  job->done = [this, item](std::unique_ptr<GroundJob> done, const absl::Status& status) {
    Answer(item, std::move(done), status);
  };
  parts_.pipeline.Submit(std::move(job));
}

absl::Status StreamCall::CheckIdLocked(const Item& item) const {
  const std::string& id = item.request.request().request_id();
  if (id.empty()) return FieldError("request.request_id", "must not be empty in a stream");
  // The one being written may have reached the sender already, so its id is free.
  const Item* const written = writing_;
  const bool taken = std::any_of(items_.begin(), items_.end(), [written, &id](const auto& held) {
    return held.get() != written && held->request.request().request_id() == id;
  });
  if (taken) return FieldError("request.request_id", "is that of an image not yet answered");
  return absl::OkStatus();
}

void StreamCall::Answer(Item* item, std::unique_ptr<GroundJob> job, const absl::Status& status) {
  const WireStatus wire = RecordOutcome(parts_, facts_, *job, status);
  item->response.set_request_id(item->request.request().request_id());
  item->response.set_code(wire.status.error_code());
  item->response.set_message(wire.status.error_message());
  item->response.set_status_details(wire.status.error_details());
  if (!status.ok()) item->response.clear_response();
  Next next;
  {
    const MutexLock lock(mutex_);
    item->job = std::move(job);
    answered_.push_back(item);
    next = DecideLocked();
  }
  Do(next);
}

void StreamCall::OnWriteDone(bool ok) {
  Item* written = nullptr;
  {
    const MutexLock lock(mutex_);
    written = writing_;  // stays, so that nothing else is written yet
  }
  parts_.slow_readers.End(written);
  Next next;
  {
    const MutexLock lock(mutex_);
    ForgetLocked(std::exchange(writing_, nullptr));
    gone_ = gone_ || !ok;
    next = DecideLocked();
  }
  Do(next);
}

void StreamCall::OnCancel() {
  std::vector<std::shared_ptr<CallerState>> callers;
  Next next;
  {
    const MutexLock lock(mutex_);
    gone_ = true;
    for (const auto& item : items_) callers.push_back(item->state);
    next = DecideLocked();
  }
  for (const auto& caller : callers) parts_.pipeline.Cancel(*caller);
  Do(next);
}

void StreamCall::OnDone() { delete this; }

}  // namespace objectdino
