// SPDX-License-Identifier: Apache-2.0
#include "client/cpp/load/stream_transport.h"

#include <deque>
#include <grpcpp/grpcpp.h>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/io/coded_stream.h"

#include "client/cpp/load/answer_timing.h"

namespace objectdino {
namespace {

using google::protobuf::io::CodedOutputStream;

constexpr char kStreamGround[] = "/objectdino.v1.GroundingService/StreamGround";
constexpr absl::Duration kGoodbye = absl::Seconds(1);  // for a server to end an idle stream

// A StreamGroundRequest whose request_id is the request's id.
grpc::ByteBuffer Item(const LoadRequest& request) {
  v1::GroundRequest id_only;
  id_only.set_request_id(absl::StrCat(request.id));
  const grpc::Slice id(id_only.SerializeAsString());
  uint8_t header[8];
  uint8_t* end = header;
  *end++ = v1::StreamGroundRequest::kRequestFieldNumber << 3 | 2;  // length-delimited
  end = CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(request.plan.bytes() + id.size()), end);
  const auto& message = request.plan.message;
  const grpc::Slice slices[] = {grpc::Slice(header, end - header), message[0], message[1],
                                message[2], id};
  return {slices, std::size(slices)};
}

}  // namespace

// What one of the stream's operations has come to; its address is the operation's tag.
struct StreamTransport::Event {
  enum class Kind { kStarted, kRead, kWritten, kWritesDone, kFinished };
  Stream* stream;
  Kind kind;
};

struct StreamTransport::Stream {
  explicit Stream(size_t its_slot) : slot(its_slot) {}

  const size_t slot;
  grpc::ClientContext context;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
  grpc::ByteBuffer answer;
  grpc::Status status;
  std::deque<grpc::ByteBuffer> to_write;
  std::unordered_map<uint64_t, std::unique_ptr<LoadRequest>> waiting;  // by id
  bool is_started = false;
  bool is_writing = false;
  bool is_ending = false;
  int operations = 0;  // whose events are to come

  Event started{this, Event::Kind::kStarted};
  Event read{this, Event::Kind::kRead};
  Event written{this, Event::Kind::kWritten};
  Event writes_done{this, Event::Kind::kWritesDone};
  Event finished{this, Event::Kind::kFinished};
};

StreamTransport::StreamTransport(const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                                 size_t streams, Security security, Done done)
    : security_(std::move(security)), done_(std::move(done)), slots_(streams, nullptr) {
  for (const auto& channel : channels)
    stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
  thread_ = std::thread([this] { Work(); });
}

StreamTransport::~StreamTransport() { StreamTransport::Close(); }

void StreamTransport::Start(std::unique_ptr<LoadRequest> request, absl::Duration) {
  const MutexLock lock(mutex_);
  const size_t slot = request->caller % slots_.size();
  if (slots_[slot] == nullptr) OpenLocked(slot);
  Stream& stream = *slots_[slot];
  stream.to_write.push_back(Item(*request));
  const uint64_t id = request->id;
  stream.waiting.emplace(id, std::move(request));
  WriteNextLocked(stream);
}

void StreamTransport::OpenLocked(size_t slot) {
  auto owned = std::make_unique<Stream>(slot);
  Stream& stream = *owned;
  streams_.emplace(&stream, std::move(owned));
  slots_[slot] = &stream;
  security_.AddTo(stream.context);
  stream.call = stubs_[slot % stubs_.size()]->PrepareCall(&stream.context, kStreamGround, &queue_);
  stream.call->StartCall(&stream.started);
  ++stream.operations;
}

void StreamTransport::WriteNextLocked(Stream& stream) {
  if (!stream.is_started || stream.is_writing || stream.is_ending || stream.to_write.empty())
    return;
  stream.is_writing = true;
  ++stream.operations;
  stream.call->Write(stream.to_write.front(), &stream.written);
  stream.to_write.pop_front();
}

void StreamTransport::Close() {
  if (is_closed_) return;
  is_closed_ = true;
  {
    const MutexLock lock(mutex_);
    for (const auto& [_, stream] : streams_) {
      if (stream->is_started && !stream->is_writing && !stream->is_ending &&
          stream->waiting.empty()) {
        ++stream->operations;
        stream->call->WritesDone(&stream->writes_done);
      } else {
        stream->context.TryCancel();
      }
    }
    const absl::Time goodbye = absl::Now() + kGoodbye;
    while (!streams_.empty() && changed_.WaitUntil(mutex_, goodbye)) {
    }
    for (const auto& [_, stream] : streams_) stream->context.TryCancel();
    while (!streams_.empty()) changed_.Wait(mutex_);
  }
  queue_.Shutdown();
  thread_.join();
}

void StreamTransport::Work() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    Answered answered;
    {
      const MutexLock lock(mutex_);
      answered = OnEventLocked(*static_cast<Event*>(tag), ok);
    }
    for (auto& [request, answer] : answered) done_(std::move(request), std::move(answer));
  }
}

StreamTransport::Answered StreamTransport::OnEventLocked(const Event& event, bool ok) {
  Stream& stream = *event.stream;
  Answered answered;
  --stream.operations;
  switch (event.kind) {
    case Event::Kind::kStarted:
    case Event::Kind::kRead:
      if (!ok) {
        EndLocked(stream);
        break;
      }
      if (event.kind == Event::Kind::kRead) ReadAnswerLocked(stream, answered);
      stream.is_started = true;
      ++stream.operations;
      stream.call->Read(&stream.answer, &stream.read);
      WriteNextLocked(stream);
      break;
    case Event::Kind::kWritten:
      stream.is_writing = false;
      if (ok) WriteNextLocked(stream);
      break;
    case Event::Kind::kWritesDone:
      break;
    case Event::Kind::kFinished:
      FailAllLocked(stream, answered);
  }
  if (stream.operations == 0) {
    streams_.erase(&stream);
    changed_.NotifyAll();
  }
  return answered;
}

void StreamTransport::ReadAnswerLocked(Stream& stream, Answered& answered) {
  LoadAnswer answer;
  answer.bytes = stream.answer.Length();
  auto item = ReadStreamAnswer(stream.answer);
  stream.answer.Clear();
  uint64_t id = 0;
  if (!item || !absl::SimpleAtoi(item->request_id, &id)) return;
  const auto place = stream.waiting.find(id);
  if (place == stream.waiting.end()) return;
  answer.code = static_cast<grpc::StatusCode>(item->code);
  answer.message = std::move(item->message);
  answer.timing = std::move(item->timing);
  answered.emplace_back(std::move(place->second), std::move(answer));
  stream.waiting.erase(place);
}

// Takes no more requests, and asks why it ended.
void StreamTransport::EndLocked(Stream& stream) {
  stream.is_ending = true;
  slots_[stream.slot] = nullptr;
  ++stream.operations;
  stream.call->Finish(&stream.status, &stream.finished);
}

void StreamTransport::FailAllLocked(Stream& stream, Answered& answered) {
  LoadAnswer answer;
  answer.code = stream.status.error_code();
  answer.message = stream.status.error_message();
  if (stream.status.ok()) {
    answer.code = grpc::StatusCode::UNKNOWN;
    answer.message = "the stream ended without an answer";
  }
  for (auto& [_, request] : stream.waiting) answered.emplace_back(std::move(request), answer);
  stream.waiting.clear();
}

}  // namespace objectdino
