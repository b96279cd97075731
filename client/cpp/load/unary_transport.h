// SPDX-License-Identifier: Apache-2.0
// Sends each request as one call of Ground. One thread takes the answers; channels take turns.
// Contract: Transport.
#ifndef OBJECTDINO_CLIENT_CPP_LOAD_UNARY_TRANSPORT_H_
#define OBJECTDINO_CLIENT_CPP_LOAD_UNARY_TRANSPORT_H_

#include <cstdint>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "client/cpp/load/transport.h"
#include "client/cpp/security.h"
#include "core/base/mutex.h"

namespace objectdino {

class UnaryTransport final : public Transport {
 public:
  UnaryTransport(const std::vector<std::shared_ptr<grpc::Channel>>& channels, Security security,
                 Done done);
  ~UnaryTransport() override;

  void Start(std::unique_ptr<LoadRequest> request, absl::Duration remaining) override;
  void Cancel(uint64_t id) override;
  void Close() override;

 private:
  struct Call;

  void Work();
  void Finish(Call* ended);

  const Security security_;
  const Done done_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  grpc::CompletionQueue queue_;
  Mutex mutex_;
  std::unordered_map<uint64_t, std::unique_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);  // by id
  bool is_closed_ = false;
  std::thread thread_;
};

}  // namespace objectdino

#endif  // OBJECTDINO_CLIENT_CPP_LOAD_UNARY_TRANSPORT_H_
