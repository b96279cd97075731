// SPDX-License-Identifier: Apache-2.0
// Sends requests as items of a few streams of StreamGround; those of one caller go into one stream.
// One thread takes the answers. A stream that breaks fails what is in it with its status, and is
// opened anew by the next request.
//
// Items have no deadlines, and none is cancelled alone. Contract otherwise: Transport.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_STREAM_TRANSPORT_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_STREAM_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "client/cpp/load/transport.h"
#include "client/cpp/security.h"
#include "core/base/mutex.h"

namespace objectdino {

class StreamTransport final : public Transport {
 public:
  // `streams`: at least 1.
  StreamTransport(const std::vector<std::shared_ptr<grpc::Channel>>& channels, size_t streams,
                  Security security, Done done);
  ~StreamTransport() override;

  void Start(std::unique_ptr<LoadRequest> request, absl::Duration remaining) override;
  void Cancel(uint64_t) override {}
  void Close() override;

 private:
  struct Stream;
  struct Event;
  using Answered = std::vector<std::pair<std::unique_ptr<LoadRequest>, LoadAnswer>>;

  void Work();
  Answered OnEventLocked(const Event& event, bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OpenLocked(size_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNextLocked(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadAnswerLocked(Stream& stream, Answered& answered) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FailAllLocked(Stream& stream, Answered& answered) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Security security_;
  const Done done_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  grpc::CompletionQueue queue_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Stream*> slots_ ABSL_GUARDED_BY(mutex_);  // the one that takes requests, or null
  std::unordered_map<Stream*, std::unique_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool is_closed_ = false;
  std::thread thread_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_STREAM_TRANSPORT_H_
