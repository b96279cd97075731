// SPDX-License-Identifier: Apache-2.0
// One StreamGround RPC: images in, outcomes out, in any order.
//
// At most `stream_window` images of a stream are in the house; the next is read when one has left,
// so that HTTP/2's flow control slows the sender down. gRPC owns the call and deletes it in OnDone.
#ifndef OBJECTDINO_SERVER_STREAM_CALL_H_
#define OBJECTDINO_SERVER_STREAM_CALL_H_

#include <deque>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"

#include "core/base/mutex.h"
#include "objectdino/v1/grounding_service.pb.h"
#include "server/access_log.h"
#include "server/ground_job.h"
#include "server/service_parts.h"

namespace objectdino {

class StreamCall final
    : public grpc::ServerBidiReactor<v1::StreamGroundRequest, v1::StreamGroundResponse> {
 public:
  // The result is for gRPC to own.
  static StreamCall* Start(const ServiceParts& parts, grpc::CallbackServerContext* context);

 private:
  struct Item {
    v1::StreamGroundRequest request;
    v1::StreamGroundResponse response;
    std::shared_ptr<CallerState> state;
    std::unique_ptr<GroundJob> job;  // once it is answered: it holds its place until all is sent
  };
  // What to do next, decided under the lock and done without it: gRPC may call back at once.
  struct Next {
    Item* read = nullptr;
    Item* write = nullptr;
    bool finish = false;
  };

  StreamCall(const ServiceParts& parts, grpc::CallbackServerContext* context);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  absl::Status CheckIdLocked(const Item& item) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(Item* item, std::unique_ptr<GroundJob> job, const absl::Status& status);
  Next DecideLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Do(const Next& next);
  void ForgetLocked(const Item* item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ServiceParts parts_;
  grpc::CallbackServerContext* const context_;
  const CallFacts facts_;

  Mutex mutex_;
  std::vector<std::unique_ptr<Item>> items_ ABSL_GUARDED_BY(mutex_);  // read, not yet sent
  std::unique_ptr<Item> reading_ ABSL_GUARDED_BY(mutex_);
  std::deque<Item*> answered_ ABSL_GUARDED_BY(mutex_);  // to be written, in this order
  Item* writing_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool reads_over_ ABSL_GUARDED_BY(mutex_) = false;  // the caller has sent its last image
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;        // the caller does not read any more
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace objectdino

#endif  // OBJECTDINO_SERVER_STREAM_CALL_H_
