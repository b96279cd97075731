// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/unary_transport.h"

#include <grpcpp/grpcpp.h>
#include <utility>

#include "absl/time/clock.h"

#include "client/cpp/load/answer_timing.h"
#include "client/cpp/push_back.h"

namespace objectdino {
namespace {

constexpr char kGround[] = "/objectdino.v1.GroundingService/Ground";

}  // namespace

// Its address is the tag of its end.
struct UnaryTransport::Call {
  std::unique_ptr<LoadRequest> request;
  grpc::ClientContext context;
  grpc::ByteBuffer response;
  grpc::Status status;
  Mutex starting;  // held until all of it is set: the end can come before Start returns
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader ABSL_GUARDED_BY(starting);
};

UnaryTransport::UnaryTransport(const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                               Security security, Done done)
    : security_(std::move(security)), done_(std::move(done)) {
  for (const auto& channel : channels)
    stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
  thread_ = std::thread([this] { Work(); });
}

UnaryTransport::~UnaryTransport() { UnaryTransport::Close(); }

void UnaryTransport::Start(std::unique_ptr<LoadRequest> request, absl::Duration remaining) {
  auto owned = std::make_unique<Call>();
  Call& call = *owned;
  const uint64_t id = request->id;
  call.request = std::move(request);
  call.context.set_deadline(absl::ToChronoTime(absl::Now() + remaining));
  security_.AddTo(call.context);
  const auto& slices = call.request->plan.message;
  const grpc::ByteBuffer message(slices.data(), slices.size());

  const MutexLock starting(call.starting);
  {
    const MutexLock lock(mutex_);
    calls_.emplace(id, std::move(owned));
  }
  call.reader =
      stubs_[id % stubs_.size()]->PrepareUnaryCall(&call.context, kGround, message, &queue_);
  call.reader->StartCall();
  call.reader->Finish(&call.response, &call.status, &call);
}

void UnaryTransport::Cancel(uint64_t id) {
  const MutexLock lock(mutex_);
  const auto call = calls_.find(id);
  if (call != calls_.end()) call->second->context.TryCancel();
}

void UnaryTransport::Close() {
  if (is_closed_) return;
  is_closed_ = true;
  {
    const MutexLock lock(mutex_);
    for (const auto& [_, call] : calls_) call->context.TryCancel();
  }
  queue_.Shutdown();  // ends when the last call has
  thread_.join();
}

void UnaryTransport::Work() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) Finish(static_cast<Call*>(tag));
}

void UnaryTransport::Finish(Call* ended) {
  { const MutexLock started(ended->starting); }
  std::unique_ptr<Call> call;
  {
    const MutexLock lock(mutex_);
    const auto place = calls_.find(ended->request->id);
    call = std::move(place->second);
    calls_.erase(place);
  }
  LoadAnswer answer;
  answer.code = call->status.error_code();
  if (call->status.ok()) {
    answer.bytes = call->response.Length();
    answer.timing = ReadTiming(call->response);
  } else {
    answer.message = call->status.error_message();
    answer.push_back = PushBack(call->context);
  }
  done_(std::move(call->request), std::move(answer));
}

}  // namespace objectdino
